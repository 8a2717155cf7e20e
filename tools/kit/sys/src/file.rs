//! Files: reading those whose size is not known before, as those of /proc, and opening beneath a root that may be hostile.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;

/// Most files of /proc, and of ours, are smaller.
const USUAL: usize = 4096;

/// The whole of a file, in two reads if it has less than 4 KiB: std's asks for the size first, and where that is 0, as in
/// /proc, it reads 32 bytes, 32, 64 and so on.
///
/// # Errors
/// The kernel's: see open(2) and read(2).
pub fn read(path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(USUAL);
    // Without the `take` it asks for the size here, too.
    File::open(path)?.take(u64::MAX).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens what is at `path` beneath `root`, as if that were `/`: no link leads out, and no magic link is followed (openat2(2),
/// `RESOLVE_IN_ROOT`).
///
/// # Errors
/// The kernel's.
pub fn open_in_root(
    root: impl AsFd,
    path: impl rustix::path::Arg + Copy,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        let opened = openat2(&root, path, flags | OFlags::CLOEXEC, Mode::empty(), inside);
        // EAGAIN: something was renamed or mounted while the kernel went up by `..`; it cannot tell where that led.
        if !matches!(opened, Err(Errno::AGAIN | Errno::INTR)) {
            return opened;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_file_is_read_however_long_it_is() {
        let path = std::env::temp_dir().join(format!("kit-sys-read-{}", std::process::id()));
        for length in [0, 1, USUAL - 1, USUAL, USUAL * 5 + 7] {
            let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read(&path).unwrap(), bytes);
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(read("/proc/self/stat").unwrap().ends_with(b"\n"));
    }
}
