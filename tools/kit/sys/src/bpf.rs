//! bpf(2), as much of it as device rules on cgroup v2 take: loading a program and attaching it to a cgroup.
//!
//! What is in the program is the caller's affair; the kernel's verifier checks it.

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

use crate::calls;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_PROG_ATTACH: libc::c_int = 8;
const BPF_PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const BPF_CGROUP_DEVICE: u32 = 6;
const BPF_F_ALLOW_MULTI: u32 = 2;

/// One instruction, `struct bpf_insn` of linux/bpf.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Which instruction: `BPF_JMP | BPF_EXIT`.
    pub code: u8,
    /// The destination register in the low four bits, the source in the high ones.
    pub registers: u8,
    /// How many instructions a jump skips.
    pub offset: i16,
    /// Its constant.
    pub immediate: i32,
}

/// `union bpf_attr` for `BPF_PROG_LOAD`, as far as `prog_flags`.
#[repr(C, align(8))]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
}

/// `union bpf_attr` for `BPF_PROG_ATTACH`, as far as `attach_flags`.
#[repr(C, align(8))]
struct Attach {
    target_fd: u32,
    program_fd: u32,
    hook: u32,
    flags: u32,
}

/// Loads a program that is asked whether a device may be opened or made; it goes with its last descriptor and
/// cgroup. EPERM without CAP_BPF or CAP_SYS_ADMIN, ENOSYS or EINVAL from a kernel without `CONFIG_CGROUP_BPF`,
/// EACCES or EINVAL for what the verifier refuses.
pub fn load_device_program(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    let insn_cnt = u32::try_from(program.len()).map_err(|_| Errno::TOOBIG)?;
    let attr = Load {
        prog_type: BPF_PROG_TYPE_CGROUP_DEVICE,
        insn_cnt,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    calls::note(|| {
        format!("bpf(BPF_PROG_LOAD, {{BPF_PROG_TYPE_CGROUP_DEVICE, {insn_cnt} instructions}})")
    });
    // SAFETY: `attr` is a valid bpf_attr of the size given; the instructions have the kernel's layout, their
    // pointer and count are one slice's, and the kernel copies them and the C string without writing to them.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_LOAD,
            &raw const attr,
            size_of::<Load>(),
        )
    };
    let fd = libc::c_int::try_from(fd).unwrap_or(-1);
    if fd < 0 {
        return Err(last_error());
    }
    // SAFETY: the kernel has just made this descriptor (O_CLOEXEC, as all of bpf(2)'s), and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Attaches it to the cgroup whose directory is open as `cgroup`, beside the programs that it has: all of them, and those
/// of the cgroups above, have to agree. It stays until the cgroup goes.
pub fn attach_device_program(cgroup: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), Errno> {
    let raw = |fd: BorrowedFd<'_>| u32::try_from(fd.as_raw_fd()).map_err(|_| Errno::BADF);
    let attr = Attach {
        target_fd: raw(cgroup)?,
        program_fd: raw(program)?,
        hook: BPF_CGROUP_DEVICE,
        flags: BPF_F_ALLOW_MULTI,
    };
    calls::note(|| {
        let cgroup = calls::fd(cgroup);
        format!("bpf(BPF_PROG_ATTACH, {{{cgroup}, BPF_CGROUP_DEVICE, BPF_F_ALLOW_MULTI}})")
    });
    // SAFETY: `attr` is a valid bpf_attr of the size given, and both descriptors are borrowed for the call.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            BPF_PROG_ATTACH,
            &raw const attr,
            size_of::<Attach>(),
        )
    };
    if rc == 0 { Ok(()) } else { Err(last_error()) }
}

fn last_error() -> Errno {
    let raw = std::io::Error::last_os_error().raw_os_error();
    Errno::from_raw_os_error(raw.unwrap_or(libc::EIO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_are_the_kernels() {
        assert_eq!(size_of::<Instruction>(), 8);
        assert_eq!(size_of::<Load>(), 48);
        assert_eq!(size_of::<Attach>(), 16);
    }

    #[test]
    fn an_empty_program_is_refused() {
        assert!(load_device_program(&[]).is_err());
    }
}
