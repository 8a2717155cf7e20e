//! Pages of this process that it can do without while it waits: madvise(2), malloc_trim(3).

use std::ffi::c_void;

use rustix::event::{PollFd, poll};
use rustix::mm::{Advice, madvise};

/// PF_W of elf(5): the segment is writable.
const WRITABLE: u32 = 2;

/// poll(2) without a timeout, in next to no memory: freed heap, stack that deeper calls have used, and the pages of the
/// program itself are given back first. The last are the file's, and come back from the page cache as they are run: the
/// kernel maps sixteen at a time, so from there to the wait this function alone is run. For a process of one thread.
///
/// # Errors
/// poll(2)'s.
pub fn poll_in_little(fds: &mut [PollFd<'_>]) -> rustix::io::Result<usize> {
    #[cfg(target_env = "gnu")]
    // SAFETY: no precondition; only what the allocator holds free goes to the kernel.
    unsafe {
        libc::malloc_trim(0);
    }
    forget_stack();
    let mut segments = Segments::default();
    // SAFETY: `gather` has the signature that dl_iterate_phdr(3) calls, and its data is a `Segments` that outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(gather), (&raw mut segments).cast()) };
    for (begin, length) in segments.ranges {
        // SAFETY: the range is of a private mapping of a file that nobody has written to, so that dropping its pages
        // changes no byte: the next access reads the same ones from the file. A refusal costs memory alone.
        let _ = unsafe { madvise(begin as *mut c_void, length, Advice::LinuxDontNeed) };
    }
    poll(fds, None)
}

/// More than the frames between this module and the kernel.
const MARGIN: usize = 16 * 1024;

/// Forgets the stack below the frames that are alive.
fn forget_stack() {
    let marker = 0u8;
    let here = std::ptr::from_ref(&marker) as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let bound = |text: &str| usize::from_str_radix(text, 16).ok();
    let stack = maps.lines().find_map(|line| {
        let (low, high) = line.split_once(' ')?.0.split_once('-')?;
        let (low, high) = (bound(low)?, bound(high)?);
        (low..high).contains(&here).then_some(low)
    });
    let Some(low) = stack else { return };
    let high = here.saturating_sub(MARGIN) & !(MARGIN - 1);
    // SAFETY: the range is of this thread's stack and ends a margin below the frame of this function, which is the
    // deepest but for the call itself: nothing that is there will be read before it is written again.
    unsafe {
        libc::madvise(
            low as *mut c_void,
            high.saturating_sub(low),
            libc::MADV_DONTNEED,
        )
    };
}

/// The read-only segments of this program: where each begins, and its length in bytes; 0 where there is none.
#[derive(Default)]
struct Segments {
    /// A static program has three or four.
    ranges: [(usize, usize); 8],
    count: usize,
}

/// Gathers those of one object; segments that are written to hold what no file has.
unsafe extern "C" fn gather(
    info: *mut libc::dl_phdr_info,
    _: libc::size_t,
    segments: *mut c_void,
) -> i32 {
    // SAFETY: the C library hands a valid object, whose headers live as long as it is loaded, and our own data.
    let (base, headers, segments) = unsafe {
        let headers = std::slice::from_raw_parts((*info).dlpi_phdr, (*info).dlpi_phnum.into());
        (
            (*info).dlpi_addr,
            headers,
            &mut *segments.cast::<Segments>(),
        )
    };
    let page = rustix::param::page_size() as u64;
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & WRITABLE != 0 {
            continue;
        }
        // From the page it begins in to the last that is wholly its own: the next segment may share a page.
        let begin = (base + header.p_vaddr) / page * page;
        let end = (base + header.p_vaddr + header.p_memsz) / page * page;
        if let Some(range) = segments.ranges.get_mut(segments.count) {
            *range = (begin as usize, end.saturating_sub(begin) as usize);
            segments.count += 1;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::event::{PollFd, PollFlags};

    #[test]
    fn the_program_waits_in_less_and_goes_on() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("RssFile:"));
            let kib = line.and_then(|line| line.split_whitespace().next());
            kib.unwrap().parse::<u64>().unwrap()
        };
        let before = resident();
        let ready = std::fs::File::open("/dev/zero").unwrap();
        let mut fds = [PollFd::from_borrowed_fd(ready.as_fd(), PollFlags::IN)];
        assert_eq!(super::poll_in_little(&mut fds), Ok(1));
        assert!(fds[0].revents().contains(PollFlags::IN));
        assert!(resident() < before, "{before} KiB before");
    }
}
