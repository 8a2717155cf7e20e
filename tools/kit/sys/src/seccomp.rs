//! seccomp(2): a filter of system calls, loaded for good.
//!
//! What is in the filter is the caller's affair; the kernel checks that it is well-formed.

use rustix::io::Errno;

use crate::calls;

/// One instruction of classic BPF, `struct sock_filter` of linux/filter.h.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Which instruction: `BPF_RET | BPF_K`.
    pub code: u16,
    /// How many instructions to skip when the comparison holds.
    pub jt: u8,
    /// And when it does not.
    pub jf: u8,
    /// Its constant.
    pub k: u32,
}

/// Loads `filter` for the calling thread, with the `SECCOMP_FILTER_FLAG_*` of linux/seccomp.h in `flags`.
/// Needs CAP_SYS_ADMIN or no_new_privs (EACCES); EINVAL for a filter that is empty, too long or malformed;
/// EBUSY when another thread could not be given the filter (TSYNC).
pub fn load(filter: &[Instruction], flags: u32) -> Result<(), Errno> {
    let program = program(filter)?;
    let len = program.len;
    calls::note(|| format!("seccomp(SECCOMP_SET_MODE_FILTER, {flags:#x}, {{{len} instructions}})"));
    // SAFETY: the pointer and length of `program` are those of `filter`, and the kernel copies the instructions without
    // writing to them.
    let rc = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            std::ptr::from_ref(&program),
        )
    };
    match rc {
        0 => Ok(()),
        thread if thread > 0 => Err(Errno::BUSY),
        _ => {
            let raw = std::io::Error::last_os_error().raw_os_error();
            Err(Errno::from_raw_os_error(raw.unwrap_or(libc::EIO)))
        }
    }
}

/// The instructions as the kernel takes them, which copies and never writes them; EINVAL for too many. It holds the
/// pointer of `filter`.
pub(crate) fn program(filter: &[Instruction]) -> Result<libc::sock_fprog, Errno> {
    Ok(libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| Errno::INVAL)?,
        // `Instruction` has the layout of sock_filter.
        filter: filter.as_ptr().cast_mut().cast(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_the_kernels() {
        assert_eq!(size_of::<Instruction>(), size_of::<libc::sock_filter>());
        assert_eq!(align_of::<Instruction>(), align_of::<libc::sock_filter>());
    }

    #[test]
    fn an_empty_filter_is_refused() {
        assert_eq!(load(&[], 0), Err(Errno::INVAL));
    }
}
