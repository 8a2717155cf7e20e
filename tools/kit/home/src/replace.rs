//! A file that is seen whole or not at all: written beside its place, then renamed there.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use kit_sys::calls;

/// How a file is written.
#[derive(Debug, Clone, Copy)]
pub struct Replace<'a> {
    /// On the same filesystem, of a name that nobody reads and gc knows. Two writers at once need two of them, or a
    /// lock.
    pub temporary: &'a Path,
    /// Permissions of a new file, less the umask.
    pub mode: u32,
    /// Whether it must survive a power cut. That costs a third of a millisecond.
    pub sync: bool,
}

impl<'a> Replace<'a> {
    /// By way of `temporary`, for us alone, not synced.
    pub fn beside(temporary: &'a Path) -> Self {
        Self {
            temporary,
            mode: 0o600,
            sync: false,
        }
    }
}

/// Puts `text` at `path`, in place of what was there. A failed write leaves the old file, and nothing beside it.
pub fn replace(path: &Path, text: &[u8], how: &Replace<'_>) -> io::Result<()> {
    let written = calls::told(
        || calls::fs::written(how.temporary, text, "O_WRONLY|O_CREAT|O_TRUNC"),
        || write(text, how),
    );
    let written = written.and_then(|()| calls::fs::rename(how.temporary, path));
    if written.is_err() {
        // The first error is what counts.
        let _ = std::fs::remove_file(how.temporary);
    }
    written
}

fn write(text: &[u8], how: &Replace<'_>) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(how.mode)
        .open(how.temporary)?;
    file.write_all(text)?;
    if how.sync {
        file.sync_data()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_old_file_or_the_new_one() {
        let dir = tempfile::tempdir().unwrap();
        let (path, temporary) = (dir.path().join("file"), dir.path().join(".file.new"));
        for text in ["one", "two"] {
            let how = Replace {
                sync: true,
                ..Replace::beside(&temporary)
            };
            replace(&path, text.as_bytes(), &how).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
        let mode = path.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        // A directory takes no file's place.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"", &Replace::beside(&temporary)).is_err());
        assert!(!temporary.exists());
    }
}
