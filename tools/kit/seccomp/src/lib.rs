//! System call filters: the profile in config.json's `linux.seccomp`, docker's default one, and loading it.
//!
//! Compiled here, at run time, without libseccomp. See seccomp(2) and the OCI runtime specification,
//! config-linux.md, "Seccomp".
#![warn(missing_docs)]

mod arch;
mod backwards;
mod bpf;
mod compile;
mod default;
mod file;
mod rules;
mod syscalls_aarch64;
mod syscalls_i386;
mod syscalls_x86_64;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_abi;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::OnceLock;

use kit_sys::seccomp::Instruction;
use oci_spec::runtime::{Capability, LinuxSeccomp, LinuxSeccompFilterFlag as Flag, Spec};
use rustix::io::Errno;

pub use default::default_profile;
pub use file::read_profile;
use rules::Rules;

/// A profile that cannot be compiled or loaded.
#[derive(Debug, thiserror::Error, PartialEq)]
#[allow(missing_docs)] // each variant is its message
pub enum SeccompError {
    #[error("compiling the seccomp profile: SCMP_ACT_NOTIFY needs a listener, and none is offered")]
    Notify,
    #[error("compiling the seccomp profile: a system call has no argument {0}")]
    Argument(usize),
    #[error("compiling the seccomp profile: {0} is no errno")]
    Errno(u32),
    #[error("compiling the seccomp profile: {0} instructions, and the kernel takes 4096")]
    TooLong(usize),
    #[error("reading annotation {ANNOTATION}: there is no profile {0:?}, only {DEFAULT:?}")]
    Name(String),
    #[error("loading the seccomp filter: {0}")]
    Load(Errno),
}

/// In config.json's annotations: the profile is the default one for the process's bounding set, and is not written
/// out, since 300 names written, read and compiled at each start cost more than the start's mounts.
pub const ANNOTATION: &str = "org.boxkit.seccomp";
/// docker's default profile, by its name in a container's annotation.
pub const DEFAULT: &str = "default";

/// A profile compiled: made before the clone, loaded after it.
#[derive(Debug, Clone)]
pub struct Filter {
    code: Vec<Instruction>,
    flags: u32,
}

impl Filter {
    /// Compiles a profile of an OCI configuration.
    pub fn compile(profile: &LinuxSeccomp) -> Result<Self, SeccompError> {
        Ok(Self {
            code: compile::compile(&Rules::of(profile))?,
            flags: flags(profile.flags().as_deref()),
        })
    }

    /// What a configuration says; `None` for one without a filter.
    ///
    /// # Errors
    /// A profile that cannot be compiled; a name in [`ANNOTATION`] that is not [`DEFAULT`], since a program that was to
    /// be confined must not run without.
    pub fn of(spec: &Spec) -> Result<Option<Self>, SeccompError> {
        if let Some(name) = named(spec).filter(|name| *name != DEFAULT) {
            return Err(SeccompError::Name(name.clone()));
        }
        if let (true, Some(bounding), Some((caps, filter))) =
            (is_default(spec), bounding(spec), WARM.get())
            && bounding == caps
        {
            return Ok(Some(filter.clone()));
        }
        if is_default(spec) {
            return default_for(bounding(spec).unwrap_or(&HashSet::new())).map(Some);
        }
        let linux = spec.linux().as_ref();
        let profile = linux.and_then(|linux| linux.seccomp().as_ref());
        profile.map(Self::compile).transpose()
    }

    /// By seccomp(2), for the calling thread and all it will execute.
    pub fn load(&self) -> Result<(), SeccompError> {
        kit_sys::seccomp::load(&self.code, self.flags).map_err(SeccompError::Load)
    }
}

/// The filter that most containers get, by their capabilities.
static WARM: OnceLock<(HashSet<Capability>, Filter)> = OnceLock::new();

/// Compiles the default filter for `caps` while there is time.
#[allow(clippy::implicit_hasher)] // capability sets of oci-spec have the default one
pub fn warm(caps: HashSet<Capability>) {
    if let Ok(filter) = default_for(&caps) {
        let _ = WARM.set((caps, filter));
    }
}

/// The default filter, compiled.
fn default_for(caps: &HashSet<Capability>) -> Result<Filter, SeccompError> {
    Ok(Filter {
        code: compile::compile(&default::rules(caps))?,
        flags: flags(None),
    })
}

fn named(spec: &Spec) -> Option<&String> {
    spec.annotations().as_ref()?.get(ANNOTATION)
}

fn is_default(spec: &Spec) -> bool {
    named(spec).is_some_and(|name| name == DEFAULT)
}

fn bounding(spec: &Spec) -> Option<&HashSet<Capability>> {
    let caps = spec.process().as_ref()?.capabilities().as_ref()?;
    caps.bounding().as_ref()
}

/// A configuration's profile, written out.
pub fn profile_of(spec: &Spec) -> Option<Cow<'_, LinuxSeccomp>> {
    if is_default(spec) {
        let none = HashSet::new();
        return Some(Cow::Owned(default_profile(bounding(spec).unwrap_or(&none))));
    }
    spec.linux().as_ref()?.seccomp().as_ref().map(Cow::Borrowed)
}

/// The same configuration for those who do not know the annotation.
pub fn write_out(spec: &mut Spec) {
    let profile = profile_of(spec).map(Cow::into_owned);
    if let Some(annotations) = spec.annotations_mut() {
        annotations.remove(ANNOTATION);
    }
    if let Some(linux) = spec.linux_mut() {
        linux.set_seccomp(profile);
    }
}

/// SECCOMP_FILTER_FLAG_* of linux/seccomp.h. Where the profile is silent speculation stays as fast as it was, as
/// with runc: older kernels (before 5.16) slow every filtered process otherwise.
fn flags(listed: Option<&[Flag]>) -> u32 {
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
