//! What ps(1) shows of this process: its arguments, `/proc/PID/cmdline`, and its name, `/proc/PID/comm`.

use std::ffi::CString;
use std::io;

/// Puts `title` in the place of the arguments that this process was started with, and its first 15 bytes in the place of
/// its name. Whoever can see a process can read its arguments, so one that lives long must not keep what they say: a
/// password in a variable, a path of the host's. A longer title than the arguments were is cut. For a process of one
/// thread, which has read its arguments: `std::env::args` gives the title afterwards.
///
/// # Errors
/// There is no proc(5) at /proc.
pub fn set(title: &str) -> io::Result<()> {
    let unreadable = || io::Error::from(io::ErrorKind::InvalidData);
    let stat = crate::file::read("/proc/self/stat")?;
    let (begin, end) = arguments(&stat).ok_or_else(unreadable)?;
    let length = end.saturating_sub(begin);
    if length == 0 {
        return Ok(());
    }
    // SAFETY: proc(5) says where the kernel has put this process's arguments: writable memory of its own stack, which the
    // C library and std point to and neither frees nor moves. There is one thread, so that nobody reads it meanwhile.
    let place = unsafe {
        std::slice::from_raw_parts_mut(std::ptr::with_exposed_provenance_mut::<u8>(begin), length)
    };
    place.fill(0);
    // The last byte stays 0: another one says that the title goes on into the environment (fs/proc/base.c).
    let fits = title.len().min(length - 1);
    place[..fits].copy_from_slice(&title.as_bytes()[..fits]);
    let name = CString::new(title).map_err(|_| unreadable())?;
    rustix::thread::set_name(&name).map_err(io::Error::from)
}

/// Fields 48 and 49 of `/proc/PID/stat`: where the arguments begin and end.
fn arguments(stat: &[u8]) -> Option<(usize, usize)> {
    let mut fields = crate::process::fields_from_state(stat)?;
    let begin = fields.nth(45)?.parse().ok()?;
    let end = fields.next()?.parse().ok()?;
    Some((begin, end))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_arguments_are_gone_and_the_title_is_there() {
        let child = crate::clone::clone_plain(|| {
            let read = |file| std::fs::read(format!("/proc/self/{file}")).unwrap();
            let had = read("cmdline");
            super::set("title-of-a-test").unwrap();
            let text = read("cmdline");
            let length = had.len();
            let is = |nth: usize| text.get(nth).copied().unwrap_or(0);
            let shown =
                (0..length).all(|nth| is(nth) == *b"title-of-a-test".get(nth).unwrap_or(&0));
            i32::from(!(length > 15 && shown && read("comm") == b"title-of-a-test\n"))
        })
        .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
