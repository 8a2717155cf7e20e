//! System call filters: the profile in config.json's `linux.seccomp`, docker's default one, and loading it.
//!
//! Compiled here, at run time, without libseccomp. See seccomp(2) and the OCI runtime specification,
//! config-linux.md, "Seccomp".

mod arch;
mod bpf;
mod compile;
mod default;
mod file;
mod syscalls_aarch64;
mod syscalls_i386;
mod syscalls_x86_64;
#[cfg(test)]
mod tests;

use oci_spec::runtime::{LinuxCapabilities, LinuxSeccomp, LinuxSeccompFilterFlag as Flag};
use rustix::io::Errno;

pub use default::default_profile;
pub use file::read_profile;

#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SeccompError {
    #[error("compiling the seccomp profile: SCMP_ACT_NOTIFY needs a listener, and none is offered")]
    Notify,
    #[error("compiling the seccomp profile: a system call has no argument {0}")]
    Argument(usize),
    #[error("compiling the seccomp profile: {0} is no errno")]
    Errno(u32),
    #[error("compiling the seccomp profile: {0} instructions, and the kernel takes 4096")]
    TooLong(usize),
    #[error("loading the seccomp filter: {0}")]
    Load(Errno),
}

/// Loads what config.json's `linux.seccomp` says, by seccomp(2), for the calling thread and all it will execute.
/// Which capabilities the process has was decided into the profile when it was made.
pub fn load_profile(profile: &LinuxSeccomp, _: &LinuxCapabilities) -> Result<(), SeccompError> {
    let filter = compile::compile(profile)?;
    kit_sys::seccomp::load(&filter, flags(profile)).map_err(SeccompError::Load)
}

/// SECCOMP_FILTER_FLAG_* of linux/seccomp.h. Where the profile is silent speculation stays as fast as it was, as
/// with runc: older kernels (before 5.16) slow every filtered process otherwise.
fn flags(profile: &LinuxSeccomp) -> u32 {
    let listed = profile.flags().as_deref();
    listed
        .unwrap_or(&[Flag::SeccompFilterFlagSpecAllow])
        .iter()
        .fold(0, |all, flag| {
            all | match flag {
                Flag::SeccompFilterFlagTsync => 1,
                Flag::SeccompFilterFlagLog => 1 << 1,
                Flag::SeccompFilterFlagSpecAllow => 1 << 2,
                Flag::SeccompFilterFlagWaitKillableRecv => 1 << 5,
            }
        })
}
