//! Files that fit into memory: those that a person names (a list of variables, a profile), those of an image.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Larger than any such file, in bytes: 16 MiB.
const MOST: u64 = 16 << 20;

/// The whole of a small file; a pipe will do, as a shell's `<(…)` is.
///
/// # Errors
/// The file cannot be read, or it has more than 16 MiB: /dev/zero has no end.
pub fn read_small(path: &Path) -> io::Result<Vec<u8>> {
    let bytes = read_up_to(File::open(path)?, MOST)?;
    bytes.ok_or_else(|| io::Error::other("it has more than 16 MiB"))
}

/// The whole of a small regular file. Anything else is refused and never waited for, as a FIFO without a writer would be.
///
/// # Errors
/// The file cannot be read, it is no regular file, or it has more than 16 MiB.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = File::options()
        .read(true)
        .custom_flags(nonblock)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let too_large = || io::Error::other("it has more than the 16 MiB that such a file may have");
    if meta.len() > MOST {
        return Err(too_large());
    }
    // With room for its end, which is one more read.
    let mut bytes = Vec::with_capacity(meta.len() as usize + 1);
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(too_large());
    }
    Ok(bytes)
}

/// All that there is to read, or `None` if that is more than `most` bytes.
pub fn read_up_to(from: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let error = read_small(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it has more than 16 MiB");
        assert!(read_small(Path::new("/dev/null")).unwrap().is_empty());
        let error = read_regular(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it is no regular file");
    }
}
