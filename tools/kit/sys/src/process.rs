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

/// Ends this process at once, with no destructor and no atexit handler of the program it was cloned from.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no precondition and does not return.
    unsafe { libc::_exit(code) }
}

/// When process `pid` started, in clock ticks since boot: field 22 of `/proc/PID/stat`.
/// `None` when there is no such process, or it is a zombie (field 3 is `Z` or `X`).
pub fn start_time(pid: i32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse_start_time(&stat)
}

/// The fields after the command, which is in parentheses and may itself hold spaces and parentheses.
fn parse_start_time(stat: &str) -> Option<u64> {
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
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
    let read = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(BOOT.get_or_init(|| read.trim_end().to_owned()).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_with_spaces_and_parentheses_is_skipped() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(parse_start_time(&format!("7 (a) b) {tail}")), Some(4242));
        assert_eq!(
            parse_start_time(&format!("7 (x) {}", tail.replacen('S', "Z", 1))),
            None
        );
    }

    #[test]
    fn this_process_has_a_start_time() {
        assert!(start_time(std::process::id() as i32).is_some_and(|t| t > 0));
        assert_eq!(start_time(i32::MAX), None);
    }
}
