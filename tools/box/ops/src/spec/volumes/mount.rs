//! `--mount`: one line of CSV, `type=bind,source=/a,target=/b,readonly`, with docker's rules and words.

use super::{
    Create, From, PRIVATE, Volume, check_memory_place, csv, destination, named, propagation,
};
use crate::spec::SpecError;
use crate::spec::sizes::parse_bytes;

/// One `--mount`.
///
/// # Errors
/// As of [`parse_volume`](super::parse_volume).
pub fn parse_mount(text: &str) -> Result<Volume, SpecError> {
    let fields = csv(text)?;
    let mut given = Given::default();
    for field in &fields {
        given.take(field)?;
    }
    given.volume()
}

/// What the fields say, read so far.
struct Given<'a> {
    kind: &'a str,
    from: &'a str,
    to: &'a str,
    readonly: bool,
    nocopy: bool,
    propagation: &'static str,
    recursive: bool,
    memory: Vec<String>,
    /// The types that options of their own were given of: `bind` of `bind-propagation`.
    options_of: Vec<&'static str>,
}

impl Default for Given<'_> {
    fn default() -> Self {
        Self {
            kind: "volume",
            from: "",
            to: "",
            readonly: false,
            nocopy: false,
            propagation: PRIVATE,
            recursive: true,
            memory: Vec::new(),
            options_of: Vec::new(),
        }
    }
}

impl<'a> Given<'a> {
    fn take(&mut self, field: &'a str) -> Result<(), SpecError> {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field, None),
        };
        let wrong = || {
            let value = value.unwrap_or_default();
            SpecError::Rule(format!("invalid value for {key}: {value}"))
        };
        let of = ["bind", "volume", "tmpfs"].into_iter();
        let its = of.filter(|kind| {
            key.strip_prefix(kind)
                .is_some_and(|rest| rest.starts_with('-'))
        });
        self.options_of.extend(its);
        match (key, value) {
            ("readonly" | "ro", value) => self.readonly = switch(value).ok_or_else(wrong)?,
            ("volume-nocopy", value) => self.nocopy = switch(value).ok_or_else(wrong)?,
            ("bind-nonrecursive", value) => self.recursive = !switch(value).ok_or_else(wrong)?,
            (_, None) => {
                return Err(SpecError::Rule(format!(
                    "invalid field '{field}' must be a key=value pair"
                )));
            }
            ("type", Some(value)) => self.kind = value,
            ("source" | "src", Some(value)) => self.from = value,
            ("target" | "destination" | "dst", Some(value)) => self.to = value,
            // How a virtual machine's files are cached: nothing to do here.
            ("consistency", Some("default" | "consistent" | "cached" | "delegated")) => {}
            ("bind-propagation", Some(value)) => {
                let known = propagation(value);
                self.propagation =
                    known.ok_or_else(|| SpecError::invalid("invalid propagation option", value))?;
            }
            // What is read-only is so with all mounts beneath it, if they are there.
            ("bind-recursive", Some("enabled" | "readonly")) => self.recursive = true,
            ("bind-recursive", Some("disabled")) => self.recursive = false,
            ("bind-recursive", Some(value)) => {
                return Err(SpecError::Rule(format!(
                    "invalid value for bind-recursive: {value}: it is enabled, disabled or readonly here"
                )));
            }
            ("tmpfs-size", Some(value)) => {
                let size = parse_bytes(value).map_err(|_| wrong())?;
                self.memory.push(format!("size={size}"));
            }
            ("tmpfs-mode", Some(value)) => {
                u32::from_str_radix(value, 8).map_err(|_| wrong())?;
                self.memory.push(format!("mode={value}"));
            }
            _ => {
                return Err(SpecError::Rule(format!(
                    "unexpected key '{key}' in '{field}'"
                )));
            }
        }
        Ok(())
    }

    fn volume(self) -> Result<Volume, SpecError> {
        if self.to.is_empty() {
            return Err(SpecError::Rule(
                "invalid argument for --mount: target is required".to_owned(),
            ));
        }
        if let Some(other) = self.options_of.iter().find(|kind| **kind != self.kind) {
            return Err(SpecError::Rule(format!(
                "cannot mix '{other}-*' options with mount type '{}'",
                self.kind
            )));
        }
        let to = destination(self.to)?;
        if self.kind == "tmpfs" {
            check_memory_place(&to)?;
        }
        Ok(Volume {
            from: source(self.kind, self.from, self.memory)?,
            to,
            readonly: self.readonly,
            create: Create::No,
            propagation: self.propagation,
            recursive: self.recursive,
            nocopy: self.nocopy,
        })
    }
}

/// A switch is on where it stands alone.
fn switch(value: Option<&str>) -> Option<bool> {
    value.map_or(Some(true), kit_units::parse_bool)
}

fn source(kind: &str, from: &str, memory: Vec<String>) -> Result<From, SpecError> {
    Ok(match (kind, from) {
        ("bind", "") => {
            return Err(SpecError::Rule(
                "invalid argument for --mount: source is required for bind".to_owned(),
            ));
        }
        ("bind", path) if !path.starts_with(['/', '.']) => {
            return Err(SpecError::Rule(format!(
                "invalid mount path: '{path}' mount path must be absolute"
            )));
        }
        ("bind", path) => From::Host(path.into()),
        ("volume", "") => From::Anonymous,
        ("volume", name) => named(name)?,
        ("tmpfs", "") => From::Memory(memory),
        ("tmpfs", _) => {
            return Err(SpecError::Rule(
                "invalid mount config for type \"tmpfs\": field Source must not be specified"
                    .to_owned(),
            ));
        }
        (other, _) => return Err(SpecError::invalid("invalid mount type", other)),
    })
}
