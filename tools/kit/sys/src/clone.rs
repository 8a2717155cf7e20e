//! clone3(2): a child in new namespaces, with a pidfd, straight into a cgroup where the kernel can.

use std::os::fd::AsFd;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitStatus;
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use libc::{c_int, c_void};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};
use rustix::process::{WaitId, WaitIdOptions, waitid};

/// `libc` defines this as 0 on glibc targets, because it does not fit the `int` of clone(2).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// struct `clone_args` of `linux/sched.h`, version 2 (88 bytes, Linux 5.7).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What the parent gets: the child's PID in the parent's PID namespace, and a descriptor that stands for it.
#[derive(Debug)]
pub struct Cloned {
    /// As the parent's PID namespace numbers it.
    pub pid: i32,
    /// Stands for this very process, whoever has its number later.
    pub pidfd: OwnedFd,
}

impl Cloned {
    /// Waits until it has ended, and reaps it: once. By its pidfd, so never for another process (waitid(2)).
    ///
    /// # Errors
    /// ECHILD for one that was waited for before.
    pub fn wait(&self) -> Result<ExitStatus, Errno> {
        wait(&self.pidfd)
    }

    /// Sends it a signal, by number. One that has ended is left alone.
    ///
    /// # Errors
    /// The kernel's: EINVAL for a number that is no signal's.
    pub fn kill(&self, signal: i32) -> std::io::Result<()> {
        match crate::signal::send(&self.pidfd, signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            sent => sent,
        }
    }
}

/// Waits until a child has ended, and reaps it: once. By its pidfd, so never for another process (waitid(2)).
///
/// # Errors
/// ECHILD for one that is no child of ours, or was waited for before.
pub fn wait(pidfd: impl AsFd) -> Result<ExitStatus, Errno> {
    loop {
        match waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED) {
            Err(Errno::INTR) | Ok(None) => {}
            Err(errno) => return Err(errno),
            Ok(Some(status)) => {
                // As wait(2) packs it: the code in the second byte, or a signal and whether it dumped core.
                let killed = status.terminating_signal().unwrap_or(0);
                let core = if status.dumped() { 0x80 } else { 0 };
                let code = status.exit_status().unwrap_or(0) << 8;
                return Ok(ExitStatus::from_raw(code | killed | core));
            }
        }
    }
}

/// Whether a process has ended before `limit` is over; signals that come meanwhile change nothing. It is not reaped.
///
/// # Errors
/// The kernel's: see poll(2).
pub fn ends_within(pidfd: impl AsFd, limit: Duration) -> Result<bool, Errno> {
    let begun = Instant::now();
    loop {
        let left = limit.saturating_sub(begun.elapsed());
        let left = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            ready => return Ok(ready? != 0),
        }
    }
}

/// The exit code as a shell has it: 128 and the signal for what a signal has ended.
pub fn shell_code(ended: ExitStatus) -> i32 {
    // An ended process has one of the two.
    let signalled = ended.signal().map(|signal| 128 + signal);
    ended.code().or(signalled).unwrap_or(255)
}

/// Starts a child that runs `body` and never returns from it; leaving `body` by a panic exits with 101.
///
/// `flags` are the `CLONE_NEW*` bits. `cgroup` is a cgroup v2 directory to be born in (Linux 5.7; v1
/// directories are refused with EBADF). The caller must be single-threaded: the child has only this thread,
/// and a lock held by another one would stay held for ever. See clone(2).
pub fn clone_into(
    flags: u64,
    cgroup: Option<BorrowedFd<'_>>,
    body: impl FnOnce() -> c_int,
) -> Result<Cloned, Errno> {
    let mut pidfd: c_int = -1;
    let mut args = CloneArgs {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(dir) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = dir.as_raw_fd() as u64;
    }
    // SAFETY: `args` is a valid clone_args of the size given; with no stack and without CLONE_VM the child
    // gets a copy of this address space and continues here, as after fork(2).
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    let cloned = parted(pid, pidfd, body);
    note("clone3", flags, cgroup.is_some(), &cloned);
    cloned
}

/// The same by clone(2) and without namespaces: docker's filter answers clone3(2) with ENOSYS, since a filter cannot
/// see the flags behind its pointer.
pub fn clone_plain(body: impl FnOnce() -> c_int) -> Result<Cloned, Errno> {
    let mut pidfd: c_int = -1;
    let flags = (libc::CLONE_PIDFD | libc::SIGCHLD) as libc::c_ulong;
    // SAFETY: with no stack and without CLONE_VM the child gets a copy of this address space and continues here, as
    // after fork(2); with CLONE_PIDFD the kernel stores the descriptor where the parent's TID would go, in `pidfd`.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags,
            0usize,
            &raw mut pidfd,
            0usize,
            0usize,
        )
    };
    parted(pid, pidfd, body)
}

/// The same in this very memory, as vfork(2): we wait until the child executes a program or ends, so nothing is copied,
/// and what it reads has been read in already. What it changes in memory stays changed for us; descriptors, signal
/// handlers, credentials and namespaces are its own. See clone(2), `CLONE_VM` and `CLONE_VFORK`.
///
/// Who may trace the child may write to our memory: we must not be dumpable (prctl(2)).
pub fn clone_lending(body: impl FnOnce() -> c_int) -> Result<Cloned, Errno> {
    extern "C" fn begin<F: FnOnce() -> c_int>(body: *mut c_void) -> c_int {
        // SAFETY: `body` is the `Option<F>` of the frame that waits for us, and nobody else uses it meanwhile.
        let body = unsafe { &mut *body.cast::<Option<F>>() };
        let run = || body.take().map_or(101, |body| body());
        catch_unwind(AssertUnwindSafe(run)).unwrap_or(101)
    }
    fn entry<F: FnOnce() -> c_int>(_: Option<&F>) -> extern "C" fn(*mut c_void) -> c_int {
        begin::<F>
    }

    let stack = Stack::new()?;
    let mut pidfd: c_int = -1;
    let mut body = Some(body);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: the child runs `begin` on a stack of its own, while this thread, which is the only one, stands still with
    // `body` and `stack` alive; it leaves by execve(2) or, when `begin` returns, by _exit(2) (clone(2)). The kernel
    // stores the descriptor where the parent's TID would go, in `pidfd`.
    let pid = unsafe {
        let entry = entry(body.as_ref());
        let body = (&raw mut body).cast();
        libc::clone(entry, stack.top(), flags, body, &raw mut pidfd)
    };
    if pid == -1 {
        return Err(last_errno());
    }
    // SAFETY: the kernel stored a fresh descriptor in `pidfd`, which nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Cloned { pid, pidfd })
}

/// A stack for a child that shares our memory, above a page that may not be touched.
struct Stack(*mut c_void);

impl Stack {
    /// Of this only what is touched costs memory.
    const SIZE: usize = 1 << 20;
    /// As large as the largest page of the architectures that we run on.
    const GUARD: usize = 1 << 16;

    fn new() -> Result<Self, Errno> {
        let (all, stacks) = (
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::STACK,
        );
        // SAFETY: a new mapping, where the kernel likes; its lowest part is closed before anybody has its address.
        unsafe {
            let stack = Self(mmap_anonymous(null_mut(), Self::SIZE, all, stacks)?);
            mprotect(stack.0, Self::GUARD, MprotectFlags::empty())?;
            Ok(stack)
        }
    }

    /// It grows downwards.
    fn top(&self) -> *mut c_void {
        // SAFETY: the end of the mapping that `new` made; mmap(2) aligns it as every ABI wishes.
        unsafe { self.0.add(Self::SIZE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made; the child that used it has its own memory by now, or has ended.
        let _ = unsafe { munmap(self.0, Self::SIZE) };
    }
}

/// For the parent; the child never comes back.
fn note(call: &str, flags: u64, into_cgroup: bool, cloned: &Result<Cloned, Errno>) {
    const NAMES: [(c_int, &str); 7] = [
        (libc::CLONE_NEWPID, "CLONE_NEWPID"),
        (libc::CLONE_NEWNS, "CLONE_NEWNS"),
        (libc::CLONE_NEWNET, "CLONE_NEWNET"),
        (libc::CLONE_NEWIPC, "CLONE_NEWIPC"),
        (libc::CLONE_NEWUTS, "CLONE_NEWUTS"),
        (libc::CLONE_NEWCGROUP, "CLONE_NEWCGROUP"),
        (libc::CLONE_NEWUSER, "CLONE_NEWUSER"),
    ];
    crate::calls::note(|| {
        let set = NAMES.iter().filter(|(bit, _)| flags & *bit as u64 != 0);
        let mut names: Vec<&str> = set.map(|(_, name)| *name).collect();
        names.push("CLONE_PIDFD");
        if into_cgroup {
            names.push("CLONE_INTO_CGROUP");
        }
        let names = names.join("|");
        match cloned {
            Ok(cloned) => format!("{call}({names}) = {}", cloned.pid),
            Err(errno) => format!("{call}({names}) = -1 ({errno})"),
        }
    });
}

/// Either side of a clone: the child goes into `body` and stays there.
fn parted(pid: libc::c_long, pidfd: c_int, body: impl FnOnce() -> c_int) -> Result<Cloned, Errno> {
    match pid {
        -1 => Err(last_errno()),
        0 => {
            let code = catch_unwind(AssertUnwindSafe(body)).unwrap_or(101);
            // SAFETY: _exit never returns and runs no destructor or atexit handler of the parent's.
            unsafe { libc::_exit(code) }
        }
        pid => {
            // SAFETY: the kernel stored a fresh descriptor in `pidfd`, which nobody else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned {
                pid: pid as i32,
                pidfd,
            })
        }
    }
}

fn last_errno() -> Errno {
    let raw = std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO);
    Errno::from_raw_os_error(raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit_code(body: impl FnOnce() -> c_int) -> Option<i32> {
        clone_into(0, None, body).unwrap().wait().unwrap().code()
    }

    #[test]
    fn the_child_leaves_with_the_code_of_its_body() {
        assert_eq!(exit_code(|| 7), Some(7));
        assert_eq!(clone_plain(|| 8).unwrap().wait().unwrap().code(), Some(8));
        let lent = clone_lending(|| 9).unwrap();
        assert_eq!(lent.wait().unwrap().code(), Some(9));
    }

    #[test]
    fn a_child_to_which_memory_is_lent_writes_there_and_has_ended_or_executed_when_we_go_on() {
        let (mut pid, ours) = (0, std::process::id());
        let ended = clone_lending(|| {
            pid = std::process::id();
            std::env::set_current_dir("/proc").map_or(1, |()| 0)
        });
        let ended = ended.unwrap();
        assert_eq!(ended.pid, pid as i32);
        assert_ne!(pid, ours);
        assert_ne!(
            std::env::current_dir().unwrap(),
            std::path::Path::new("/proc")
        );
        assert_eq!(ended.wait().unwrap().code(), Some(0));

        let file = std::ffi::CString::new("/bin/sh").unwrap();
        let argv = ["sh", "-c", "exit 7"].map(|word| std::ffi::CString::new(word).unwrap());
        let executed =
            clone_lending(|| nix::unistd::execv(&file, &argv).map_or(1, |never| match never {}));
        assert_eq!(executed.unwrap().wait().unwrap().code(), Some(7));
    }

    #[test]
    fn a_panic_of_a_child_to_which_memory_is_lent_ends_the_child_alone() {
        let code = clone_lending(|| panic!("on purpose"))
            .unwrap()
            .wait()
            .unwrap();
        assert_eq!(code.code(), Some(101));
    }

    #[test]
    fn a_child_that_was_killed_is_told_by_its_signal_and_once() {
        let child = clone_plain(|| {
            loop {
                std::thread::park();
            }
        })
        .unwrap();
        child.kill(libc::SIGKILL).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL));
        assert_eq!(child.wait().unwrap_err(), Errno::CHILD);
        child.kill(libc::SIGKILL).unwrap();
    }
}
