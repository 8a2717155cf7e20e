//! A program's name made into a path: by itself if it has a slash, else through PATH, as execvp(3) does. A name that nothing answers gets
//! the names it may have been meant for.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{Call, PackError};
use super::host::Host;

/// Where administrators' programs are, which an ordinary user's PATH leaves out on Debian.
const ELSEWHERE: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
];

/// The directories of a PATH that are absolute: what depends on the current directory cannot be kept in an image.
pub fn search_path(path: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .collect()
}

/// The path of a program; `cwd` is for a relative one.
pub fn find(
    host: &Host,
    name: &OsStr,
    search: &[PathBuf],
    cwd: &Path,
) -> Result<PathBuf, PackError> {
    if name.as_bytes().contains(&b'/') {
        // Without the "." of ./name: it would show in the image's command.
        let path: PathBuf = cwd.join(name).components().collect();
        return match host.walk(&path) {
            Ok(_) => Ok(path),
            Err(source) => Err(PackError::io(Call::Open, &path, source)),
        };
    }
    search
        .iter()
        .map(|dir| dir.join(name))
        .find(|path| host.is_program(path))
        .ok_or_else(|| PackError::NoProgram {
            name: name.to_owned(),
            near: near(host, name, search),
            elsewhere: ELSEWHERE
                .iter()
                .map(|dir| Path::new(dir).join(name))
                .find(|path| host.is_program(path)),
        })
}

/// Up to three programs whose names differ by a slip of the hand or two.
fn near(host: &Host, name: &OsStr, search: &[PathBuf]) -> Vec<String> {
    let names = search.iter().flat_map(|dir| host.names(dir));
    let texts = names.filter_map(|name| name.into_string().ok());
    let is_program = |name: &str| search.iter().any(|dir| host.is_program(&dir.join(name)));
    let mut found = kit_units::nearest_of(&name.to_string_lossy(), texts, usize::MAX);
    found.retain(|name| is_program(name));
    found.truncate(3);
    found
}
