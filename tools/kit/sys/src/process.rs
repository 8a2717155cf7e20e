//! Who a process is, beyond its reusable number: PID, start time and boot ID. See proc(5).

use std::io;
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

use crate::calls;

/// unshare(2) for a thread that shares no descriptor table with another thread that relies on it: rustix marks
/// the call unsafe because of CLONE_FILES alone, which is refused here.
pub fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    if flags.contains(UnshareFlags::FILES) {
        return Err(Errno::INVAL);
    }
    calls::note(|| format!("unshare({})", calls::flags(flags, "CLONE_")));
    // SAFETY: without CLONE_FILES no descriptor changes its meaning under another thread.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// personality(2) of the calling process, and of what it executes.
pub fn set_personality(persona: u32) -> Result<(), Errno> {
    // SAFETY: personality takes a number and touches no memory of ours.
    checked(unsafe { libc::personality(libc::c_ulong::from(persona)) }.into())
}

/// ioprio_set(2) of the calling process: `class` as `IOPRIO_CLASS_*` (1 real-time, 2 best effort, 3 idle), `level`
/// 0 to 7.
pub fn set_io_priority(class: u16, level: u16) -> Result<(), Errno> {
    const IOPRIO_WHO_PROCESS: i32 = 1;
    const CLASS_SHIFT: u32 = 13;
    let value = i32::from(class) << CLASS_SHIFT | i32::from(level);
    // SAFETY: three numbers; 0 is the calling process.
    checked(unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value) })
}

/// `struct sched_attr` of linux/sched/types.h, in its first version (48 bytes). Times in nanoseconds.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SchedAttr {
    /// Filled in by [`set_scheduler`].
    pub size: u32,
    /// `SCHED_*` of linux/sched.h.
    pub policy: u32,
    /// `SCHED_FLAG_*`.
    pub flags: u64,
    /// -20 to 19, of `SCHED_OTHER` and `SCHED_BATCH`.
    pub nice: i32,
    /// 1 to 99, of the real-time policies.
    pub priority: u32,
    /// Nanoseconds, of `SCHED_DEADLINE`, as the next two.
    pub runtime: u64,
    /// Nanoseconds.
    pub deadline: u64,
    /// Nanoseconds.
    pub period: u64,
}

/// sched_setattr(2) of the calling process.
pub fn set_scheduler(attr: SchedAttr) -> Result<(), Errno> {
    let attr = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        ..attr
    };
    // SAFETY: the structure lives for the call and says its own size; the kernel only reads it.
    checked(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0) })
}

/// The errno of a call that says -1.
fn checked(result: libc::c_long) -> Result<(), Errno> {
    if result == -1 {
        let code = io::Error::last_os_error().raw_os_error();
        return Err(code.map_or(Errno::INVAL, Errno::from_raw_os_error));
    }
    Ok(())
}

/// Ends this process at once, with no destructor and no atexit handler of the program it was cloned from.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no precondition and does not return.
    unsafe { libc::_exit(code) }
}

/// When process `pid` started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
/// `None` when there is no such process, or it is a zombie (field 3 is `Z` or `X`).
pub fn start_time(pid: i32) -> Option<u64> {
    parse_start_time(&crate::file::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The fields of `/proc/PID/stat` from the third on: after the command, which is in parentheses and may itself hold any
/// bytes (PR_SET_NAME), parentheses among them.
pub(crate) fn fields_from_state(stat: &[u8]) -> Option<std::str::SplitAsciiWhitespace<'_>> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(&stat[end + 1..]).ok()?;
    Some(fields.split_ascii_whitespace())
}

fn parse_start_time(stat: &[u8]) -> Option<u64> {
    let mut fields = fields_from_state(stat)?;
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    // The state was field 3; the start time is field 22.
    fields.nth(18)?.parse().ok()
}

/// Names this boot of the kernel: `/proc/sys/kernel/random/boot_id`, without its newline. Read once: no process
/// outlives it.
pub fn boot_id() -> io::Result<String> {
    static BOOT: OnceLock<String> = OnceLock::new();
    if let Some(known) = BOOT.get() {
        return Ok(known.clone());
    }
    let read = crate::file::read("/proc/sys/kernel/random/boot_id")?;
    let read = String::from_utf8_lossy(read.trim_ascii_end()).into_owned();
    Ok(BOOT.get_or_init(|| read).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_is_skipped() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        let started = |command: &[u8], tail: &str| {
            parse_start_time(&[b"7 (", command, b") ", tail.as_bytes()].concat())
        };
        assert_eq!(started(b"a) b", tail), Some(4242));
        assert_eq!(started(b"\xff", tail), Some(4242));
        assert_eq!(started(b"x", &tail.replacen('S', "Z", 1)), None);
    }

    #[test]
    fn this_process_has_a_start_time() {
        assert!(start_time(std::process::id() as i32).is_some_and(|t| t > 0));
        assert_eq!(start_time(i32::MAX), None);
    }
}
