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
    read_at_most(File::open(path)?, MOST)
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
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    read_at_most(file, MOST)
}

/// The whole of a file that has no more than `most` bytes.
///
/// # Errors
/// The file cannot be read; [`too_large`].
pub fn read_at_most(file: File, most: u64) -> io::Result<Vec<u8>> {
    // A pipe and a file of /proc have the size 0 here.
    let size = file.metadata()?.len();
    if size > most {
        return Err(too_large(most));
    }
    // With room for its end, which is one more read.
    let mut bytes = Vec::with_capacity(size as usize + 1);
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// What is said of a file that has more than `most` bytes.
pub fn too_large(most: u64) -> io::Error {
    io::Error::other(format!(
        "it has more than the {} MiB that such a file may have",
        most >> 20
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_not_read_to_it() {
        let error = read_small(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), too_large(MOST).to_string());
        assert!(read_small(Path::new("/dev/null")).unwrap().is_empty());
        let error = read_regular(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.to_string(), "it is no regular file");
    }
}
