//! Pages of this process that it can do without for a while: madvise(2), malloc_trim(3).

use std::ffi::c_void;

/// PF_W of elf(5): the segment is writable.
const WRITABLE: u32 = 2;

/// Gives back what can be had again: freed heap, stack that deeper calls have used, and the pages of the program itself,
/// which are the file's and come back from the page cache when they are next run. For a process of one thread that is
/// about to wait for long.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: no precondition; only what the allocator holds free goes to the kernel.
    unsafe {
        libc::malloc_trim(0);
    }
    forget_stack();
    // SAFETY: `forget` has the signature that dl_iterate_phdr(3) calls, and uses no data of ours.
    unsafe { libc::dl_iterate_phdr(Some(forget), std::ptr::null_mut()) };
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

/// Forgets the read-only segments of one object; those that are written to hold what no file has.
unsafe extern "C" fn forget(info: *mut libc::dl_phdr_info, _: libc::size_t, _: *mut c_void) -> i32 {
    // SAFETY: the C library hands a valid object, whose headers live as long as it is loaded.
    let (base, headers) = unsafe {
        let headers = std::slice::from_raw_parts((*info).dlpi_phdr, (*info).dlpi_phnum.into());
        ((*info).dlpi_addr, headers)
    };
    // SAFETY: no precondition.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    for header in headers {
        if header.p_type != libc::PT_LOAD || header.p_flags & WRITABLE != 0 {
            continue;
        }
        // From the page it begins in to the last that is wholly its own: the next segment may share a page.
        let begin = (base + header.p_vaddr) / page * page;
        let end = (base + header.p_vaddr + header.p_memsz) / page * page;
        // SAFETY: the range is a private mapping of a file that nobody has written to, so that dropping its pages
        // changes no byte: the next access reads the same ones from the file. A refusal costs memory alone.
        unsafe {
            libc::madvise(
                begin as *mut c_void,
                end.saturating_sub(begin) as usize,
                libc::MADV_DONTNEED,
            )
        };
    }
    0
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_program_goes_on() {
        let resident = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status
                .lines()
                .find_map(|line| line.strip_prefix("RssFile:"));
            let kib = line.and_then(|line| line.split_whitespace().next());
            kib.unwrap().parse::<u64>().unwrap()
        };
        let before = resident();
        super::give_back();
        assert!(resident() < before, "{before} KiB before");
    }
}
