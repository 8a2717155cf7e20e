//! A program's name made into a path: by itself if it has a slash, else through PATH, as execvp(3) does. A name that nothing answers gets
//! the names it may have been meant for.

use std::ffi::{OsStr, OsString};
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
    let wanted: Vec<char> = name.to_string_lossy().chars().collect();
    let allowed = if wanted.len() < 4 { 1 } else { 2 };
    let mut found: Vec<(usize, String)> = search
        .iter()
        .flat_map(|dir| host.names(dir).into_iter().map(move |name| (dir, name)))
        .filter_map(|(dir, name): (&PathBuf, OsString)| {
            let text = name.to_str()?;
            let far = distance(&wanted, &text.chars().collect::<Vec<_>>());
            (far <= allowed && host.is_program(&dir.join(text))).then(|| (far, text.to_owned()))
        })
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, name)| name).collect()
}

/// Letters to add, drop, change or swap with their neighbour: optimal string alignment.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_one_a_swap_too() {
        let far = |a: &str, b: &str| {
            distance(
                &a.chars().collect::<Vec<_>>(),
                &b.chars().collect::<Vec<_>>(),
            )
        };
        assert_eq!(far("busybox", "busybox"), 0);
        assert_eq!(far("bsuybox", "busybox"), 1);
        assert_eq!(far("pyton3", "python3"), 1);
        assert_eq!(far("sh", "ls"), 2);
        assert_eq!(far("", "ab"), 2);
    }
}
