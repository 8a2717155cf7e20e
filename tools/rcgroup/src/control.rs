//! Control files: written by one write(2), never created, read back.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use kit_sys::calls;

use crate::CgroupError;

/// Writes `text` in one write(2). Neither O_CREAT nor O_TRUNC: on a tmpfs that only looks like a hierarchy a
/// created file would limit nothing.
pub fn write(path: &Path, text: &str) -> Result<(), CgroupError> {
    let written = calls::told(
        || calls::fs::written(path, text.as_bytes(), "O_WRONLY"),
        || {
            let file = OpenOptions::new().write(true).open(path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
        },
    );
    written.map_err(CgroupError::io("writing", path))
}

/// A control file without its last newline.
pub fn read(path: &Path) -> Result<String, CgroupError> {
    let text = std::fs::read_to_string(path).map_err(CgroupError::io("reading", path))?;
    Ok(text.trim_end().to_owned())
}
