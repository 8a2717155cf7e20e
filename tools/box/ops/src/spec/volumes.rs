//! `-v`, `--mount`, `--tmpfs`: sources and mount points. Pure: reads no file.

use std::path::{Path, PathBuf};

use super::SpecError;

mod mount;

pub use mount::parse_mount;

/// Where the files of a mount come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A path on the host: absolute, or relative to the working directory and beginning with a dot.
    Host(PathBuf),
    /// A named volume.
    Named(String),
    /// A volume without a name of the user's: `rm -v` of its container removes it.
    Anonymous,
    /// A tmpfs, with its options of mount(8), such as `size=64m`.
    Memory(Vec<String>),
}

/// What to do if the source is missing on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    /// Refuse to start: docker makes a directory, so that a typo is found late.
    No,
    /// `create=dir`: make a directory.
    Dir,
    /// `create=file`: make an empty file.
    File,
}

/// One `-v`, `--mount` or `--tmpfs`, or a path of an image's `VOLUME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Where the files come from.
    pub from: From,
    /// The absolute path in the container; never `/`.
    pub to: PathBuf,
    /// `ro`, `readonly`: the container cannot write to it.
    pub readonly: bool,
    /// Only for a path on the host.
    pub create: Create,
    /// Which way mounts beneath a path of the host travel: `rprivate`, or another one of docker's `bind-propagation`.
    pub propagation: &'static str,
    /// Whether mounts beneath a path of the host are there too.
    pub recursive: bool,
    /// `nocopy`: a new volume is empty; the image's files at the mount point are not copied.
    pub nocopy: bool,
}

fn destination(text: &str) -> Result<PathBuf, SpecError> {
    if !text.starts_with('/') {
        return Err(SpecError::Rule(format!(
            "invalid mount path: '{text}' mount path must be absolute"
        )));
    }
    if text.trim_end_matches('/').is_empty() {
        return Err(SpecError::Rule(
            "invalid volume specification: destination can't be '/'".to_owned(),
        ));
    }
    Ok(text.into())
}

fn source(text: &str) -> Result<From, SpecError> {
    if text.starts_with(['/', '.']) {
        return Ok(From::Host(text.into()));
    }
    named(text)
}

fn named(text: &str) -> Result<From, SpecError> {
    super::names::check_length("volume", text)?;
    if !super::names::is_word(text) {
        return Err(SpecError::VolumeName {
            text: text.to_owned(),
        });
    }
    Ok(From::Named(text.to_owned()))
}

/// A `-v` with nothing before or after its first colon.
fn half(text: &str) -> SpecError {
    let side = if text.starts_with(':') {
        "before"
    } else {
        "after"
    };
    SpecError::Rule(format!(
        "invalid volume specification: '{text}': nothing is {side} the first colon: it is NAME:PATH, DIR:PATH, or PATH alone"
    ))
}

/// One `-v`: `/path`, `name:/path`, `/host:/path[:ro,create=dir]`.
///
/// # Errors
/// A [`SpecError`] in docker's words: a path that is not absolute, an invalid name, an unknown option.
pub fn parse_volume(text: &str) -> Result<Volume, SpecError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (from, to, options) = match parts.as_slice() {
        [to] => (From::Anonymous, destination(to)?, ""),
        ["", ..] | [_, "", ..] => return Err(half(text)),
        [from, to] => (source(from)?, destination(to)?, ""),
        [_, _, ""] => {
            return Err(SpecError::Rule(format!(
                "invalid volume specification: '{text}': nothing is after the last colon: it is an option like ro"
            )));
        }
        [from, to, options] => (source(from)?, destination(to)?, *options),
        _ => return Err(SpecError::invalid("invalid volume specification", text)),
    };
    let mut volume = Volume {
        from,
        to,
        readonly: false,
        create: Create::No,
        propagation: PRIVATE,
        recursive: true,
        nocopy: false,
    };
    set_options(&mut volume, options)?;
    Ok(volume)
}

/// The words after `-v`'s last colon. docker takes of each kind one.
fn set_options(volume: &mut Volume, options: &str) -> Result<(), SpecError> {
    let is_host = matches!(volume.from, From::Host(_));
    let mut kinds: Vec<u8> = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        let kind = match option {
            "ro" | "readonly" => {
                volume.readonly = true;
                0
            }
            "rw" => 0,
            // Labels of an LSM, and how a virtual machine's files are cached: nothing to do here.
            "z" | "Z" => 1,
            "consistent" | "cached" | "delegated" => 2,
            "nocopy" if !is_host => {
                volume.nocopy = true;
                3
            }
            "create=dir" => {
                volume.create = Create::Dir;
                4
            }
            "create=file" => {
                volume.create = Create::File;
                4
            }
            other => {
                let found = propagation(other).filter(|_| is_host);
                volume.propagation =
                    found.ok_or_else(|| SpecError::invalid("invalid mode", option))?;
                5
            }
        };
        if kinds.contains(&kind) {
            return Err(SpecError::invalid("invalid mode", options));
        }
        kinds.push(kind);
    }
    Ok(())
}

const PRIVATE: &str = "rprivate";

/// docker's words, which are mount(8)'s.
fn propagation(word: &str) -> Option<&'static str> {
    const ALL: [&str; 6] = [PRIVATE, "private", "rslave", "slave", "rshared", "shared"];
    ALL.into_iter().find(|known| *known == word)
}

/// The fields of one line of CSV (RFC 4180): a field in double quotes may contain commas, and a doubled quote stands for one.
fn csv(text: &str) -> Result<Vec<String>, SpecError> {
    let bad = || {
        SpecError::invalid(
            "parse error in --mount: a double quote is out of place",
            text,
        )
    };
    let (mut fields, mut rest) = (Vec::new(), text);
    loop {
        let after;
        if let Some(mut quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            loop {
                let (part, more) = quoted.split_once('"').ok_or_else(bad)?;
                field.push_str(part);
                let Some(more) = more.strip_prefix('"') else {
                    after = more;
                    break;
                };
                field.push('"');
                quoted = more;
            }
            fields.push(field);
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            let (field, more) = rest.split_at(end);
            if field.contains('"') {
                return Err(bad());
            }
            fields.push(field.to_owned());
            after = more;
        }
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None if after.is_empty() => return Ok(fields),
            None => return Err(bad()),
        }
    }
}

/// Refuses a tmpfs that would take what every program needs: the host's kernel as files, and the devices.
fn check_memory_place(to: &Path) -> Result<(), SpecError> {
    const DEVICES: [&str; 8] = [
        "null", "zero", "full", "random", "urandom", "tty", "console", "ptmx",
    ];
    let at: PathBuf = to.components().collect();
    let device = at
        .strip_prefix("/dev")
        .is_ok_and(|name| DEVICES.iter().any(|device| name == Path::new(device)));
    let why = if at == Path::new("/proc") || at == Path::new("/sys") {
        "programs need the file system that is there"
    } else if device {
        "this is a device, and a tmpfs is a directory"
    } else {
        return Ok(());
    };
    Err(SpecError::Rule(format!(
        "invalid mount path: '{}' cannot be a tmpfs: {why}",
        to.display()
    )))
}

/// One `--tmpfs`: `/path[:size=64m,mode=755]`.
///
/// # Errors
/// A path that is not absolute.
pub fn parse_tmpfs(text: &str) -> Result<Volume, SpecError> {
    let (to, options) = text.split_once(':').unwrap_or((text, ""));
    let options: Vec<String> = options
        .split(',')
        .filter(|o| !o.is_empty())
        .map(str::to_owned)
        .collect();
    let readonly = options.iter().any(|option| option == "ro");
    let to = destination(to)?;
    check_memory_place(&to)?;
    Ok(Volume {
        from: From::Memory(options),
        to,
        readonly,
        create: Create::No,
        propagation: PRIVATE,
        recursive: true,
        nocopy: false,
    })
}

#[cfg(test)]
mod tests;
