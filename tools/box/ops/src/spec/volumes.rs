//! `-v`, `--mount`, `--tmpfs`: what is mounted where. Pure: nothing is looked at.

use std::path::PathBuf;

use super::SpecError;

/// Where the files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A path of the host's.
    Host(PathBuf),
    /// A named volume.
    Named(String),
    /// A volume without a name, which goes with the container's `rm -v`.
    Anonymous,
    /// Memory; its options.
    Memory(Vec<String>),
}

/// What a missing source of the host's becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Create {
    No,
    Dir,
    File,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub from: From,
    pub to: PathBuf,
    pub readonly: bool,
    pub create: Create,
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
    if text.starts_with('/') {
        return Ok(From::Host(text.into()));
    }
    let mut chars = text.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if !first || !rest {
        return Err(SpecError::VolumeName {
            text: text.to_owned(),
        });
    }
    Ok(From::Named(text.to_owned()))
}

/// `/path`, `name:/path`, `/host:/path[:ro,create=dir]`.
pub fn parse_volume(text: &str) -> Result<Volume, SpecError> {
    let parts: Vec<&str> = text.split(':').collect();
    let (from, to, options) = match parts.as_slice() {
        [to] => (From::Anonymous, destination(to)?, ""),
        [from, to] => (source(from)?, destination(to)?, ""),
        [from, to, options] => (source(from)?, destination(to)?, *options),
        _ => return Err(SpecError::invalid("invalid volume specification", text)),
    };
    let mut volume = Volume {
        from,
        to,
        readonly: false,
        create: Create::No,
    };
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "ro" | "readonly" => volume.readonly = true,
            // Labels of an LSM, propagation and copying: docker's defaults, or nothing to do here.
            "rw" | "z" | "Z" | "rprivate" | "private" => {}
            "create=dir" => volume.create = Create::Dir,
            "create=file" => volume.create = Create::File,
            _ => return Err(SpecError::invalid("invalid mode", option)),
        }
    }
    Ok(volume)
}

/// `type=bind,source=/a,target=/b,readonly`.
pub fn parse_mount(text: &str) -> Result<Volume, SpecError> {
    let (mut kind, mut from, mut to, mut readonly, mut memory) =
        ("volume", "", "", false, Vec::new());
    for field in text.split(',') {
        let (key, value) = field.split_once('=').unwrap_or((field, ""));
        match key {
            "type" => kind = value,
            "source" | "src" => from = value,
            "target" | "destination" | "dst" => to = value,
            "readonly" | "ro" => readonly = !matches!(value, "false" | "0"),
            "tmpfs-size" => memory.push(format!("size={}", super::sizes::parse_bytes(value)?)),
            "tmpfs-mode" => memory.push(format!("mode={value}")),
            _ => return Err(SpecError::invalid("unexpected key in --mount", field)),
        }
    }
    if to.is_empty() {
        return Err(SpecError::Rule(
            "invalid argument for --mount: target is required".to_owned(),
        ));
    }
    let from = match (kind, from) {
        ("bind", "") => {
            return Err(SpecError::Rule(
                "invalid argument for --mount: source is required for bind".to_owned(),
            ));
        }
        ("bind", path) if !path.starts_with('/') => {
            return Err(SpecError::Rule(format!(
                "invalid mount path: '{path}' mount path must be absolute"
            )));
        }
        ("bind", path) => From::Host(path.into()),
        ("volume", "") => From::Anonymous,
        ("volume", name) => source(name)?,
        ("tmpfs", _) => From::Memory(memory),
        (other, _) => return Err(SpecError::invalid("invalid mount type", other)),
    };
    Ok(Volume {
        from,
        to: destination(to)?,
        readonly,
        create: Create::No,
    })
}

/// `/path[:size=64m,mode=755]`.
pub fn parse_tmpfs(text: &str) -> Result<Volume, SpecError> {
    let (to, options) = text.split_once(':').unwrap_or((text, ""));
    let options: Vec<String> = options
        .split(',')
        .filter(|o| !o.is_empty())
        .map(str::to_owned)
        .collect();
    let readonly = options.iter().any(|option| option == "ro");
    Ok(Volume {
        from: From::Memory(options),
        to: destination(to)?,
        readonly,
        create: Create::No,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_of_v() {
        let volume = parse_volume("/a:/b:ro").unwrap();
        assert_eq!(
            (volume.from, volume.readonly),
            (From::Host("/a".into()), true)
        );
        assert_eq!(
            parse_volume("data:/b").unwrap().from,
            From::Named("data".into())
        );
        assert_eq!(parse_volume("/b").unwrap().from, From::Anonymous);
        assert_eq!(
            parse_volume("/a:/b:create=dir").unwrap().create,
            Create::Dir
        );
        for bad in ["a", "/a:b", "./a:/b", "/a:/b:rx", "/a:/", "/a:/b:ro:x", ""] {
            assert!(parse_volume(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_forms_of_mount() {
        let bind = parse_mount("type=bind,source=/a,target=/b,readonly").unwrap();
        assert_eq!((bind.from, bind.readonly), (From::Host("/a".into()), true));
        assert_eq!(parse_mount("target=/b").unwrap().from, From::Anonymous);
        assert!(parse_mount("type=bind,target=/b").is_err());
        assert_eq!(
            parse_mount("type=tmpfs,target=/b,tmpfs-size=1m")
                .unwrap()
                .from,
            From::Memory(vec!["size=1048576".into()])
        );
    }
}
