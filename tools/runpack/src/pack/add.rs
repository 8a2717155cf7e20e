//! `--add SRC:DEST`: files and directories of this machine, copied as they are. The contents of a directory go into DEST, as with
//! Dockerfile's COPY; a file becomes DEST, or goes into it if it is a directory or ends in a slash.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::error::{Call, PackError};
use super::host::Host;
use super::tree::{Entry, Source, Tree, mode};

/// One thing to copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// On this host.
    pub source: PathBuf,
    /// Absolute, in the image.
    pub dest: PathBuf,
    /// DEST ended in a slash: it is a directory.
    into: bool,
}

impl Add {
    /// From `SRC:DEST`, or an absolute `SRC` alone, which is DEST as well.
    pub fn parse(spec: &OsStr) -> Result<Self, PackError> {
        let bad = |reason| PackError::BadAdd {
            spec: spec.to_string_lossy().into_owned(),
            reason,
        };
        let bytes = spec.as_bytes();
        let (source, dest) = match bytes.iter().rposition(|b| *b == b':') {
            Some(colon) => (&bytes[..colon], &bytes[colon + 1..]),
            None => (bytes, bytes),
        };
        if source.is_empty() {
            return Err(bad("no source before the colon"));
        }
        if !dest.starts_with(b"/") {
            return Err(bad("the destination is not an absolute path: SRC:/DEST"));
        }
        Ok(Self {
            source: PathBuf::from(OsStr::from_bytes(source)),
            dest: PathBuf::from(OsStr::from_bytes(dest)),
            into: dest.ends_with(b"/"),
        })
    }

    pub(super) fn apply(
        &self,
        host: &Host,
        cwd: &Path,
        tree: &mut Tree,
        left_out: &mut Vec<PathBuf>,
    ) -> Result<(), PackError> {
        let source = cwd.join(&self.source);
        let walk = host
            .walk(&source)
            .map_err(|e| PackError::io(Call::Open, &source, e))?;
        let mut dest = tree.resolve(&self.dest)?;
        if walk.metadata.is_dir() {
            tree.put(
                &dest,
                Entry::Dir {
                    mode: mode(&walk.metadata),
                },
            )?;
            return copy_dir(host, &walk.real, &dest, tree, left_out);
        }
        if self.into || matches!(tree.get(&dest), Some(Entry::Dir { .. })) {
            dest = tree.resolve(&dest.join(source.file_name().unwrap_or_default()))?;
        }
        if !walk.metadata.is_file() {
            left_out.push(source);
            return Ok(());
        }
        let file = Source::new(walk.real, &walk.metadata);
        tree.put(&dest, Entry::File(file))
    }
}

/// Sorted by name, so that what is said about it comes in the same order too.
fn copy_dir(
    host: &Host,
    source: &Path,
    dest: &Path,
    tree: &mut Tree,
    left_out: &mut Vec<PathBuf>,
) -> Result<(), PackError> {
    let reading = |e| PackError::io(Call::ReadDir, source, e);
    let entries = fs::read_dir(host.at(source)).map_err(reading)?;
    let names = entries.map(|entry| entry.map(|e| e.file_name()));
    let mut names: Vec<OsString> = names.collect::<Result<_, _>>().map_err(reading)?;
    names.sort();
    for name in names {
        let from = source.join(&name);
        let to = dest.join(&name);
        let failed = |call| move |e| PackError::io(call, &source.join(&name), e);
        let metadata = fs::symlink_metadata(host.at(&from)).map_err(failed(Call::Stat))?;
        if metadata.is_symlink() {
            let target =
                fs::read_link(host.at(&from)).map_err(|e| PackError::io(Call::Read, &from, e))?;
            tree.put(&to, Entry::Link { target })?;
        } else if metadata.is_dir() {
            // A directory put onto a link of the image (bin onto /bin) goes where that leads.
            let to = tree.resolve(&to)?;
            tree.put(
                &to,
                Entry::Dir {
                    mode: mode(&metadata),
                },
            )?;
            copy_dir(host, &from, &to, tree, left_out)?;
        } else if metadata.is_file() {
            tree.put(&to, Entry::File(Source::new(from, &metadata)))?;
        } else {
            left_out.push(from);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_colon_divides_and_a_path_alone_is_both() {
        let add = |spec: &str| Add::parse(OsStr::new(spec));
        let both = add("/etc/ssl").unwrap();
        assert_eq!(
            (both.source.as_path(), both.dest.as_path()),
            (Path::new("/etc/ssl"), Path::new("/etc/ssl"))
        );
        let odd = add("a:b:/c/").unwrap();
        assert_eq!((odd.source.as_path(), odd.into), (Path::new("a:b"), true));
        let said = |spec| add(spec).unwrap_err().to_string();
        assert_eq!(said(":/x"), "add \":/x\": no source before the colon");
        assert_eq!(
            said("x:y"),
            "add \"x:y\": the destination is not an absolute path: SRC:/DEST"
        );
        assert_eq!(
            said("x"),
            "add \"x\": the destination is not an absolute path: SRC:/DEST"
        );
    }
}
