//! Serde for `OsString` and `PathBuf`: a string where it is UTF-8, else an array of its bytes.
//! Names and paths are hostile text; none may be lost on the way through a journal.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Such a text by itself, for a list of them or an optional one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OsText(#[serde(with = "crate::os_text")] pub OsString);

impl<T: Into<OsString>> From<T> for OsText {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Utf8(String),
    Bytes(Vec<u8>),
}

/// For `#[serde(with = "os_text")]`.
pub fn serialize<T: AsRef<OsStr>, S: Serializer>(text: &T, to: S) -> Result<S::Ok, S::Error> {
    let text = text.as_ref();
    match text.to_str() {
        Some(utf8) => utf8.serialize(to),
        None => text.as_bytes().serialize(to),
    }
}

/// For `#[serde(with = "os_text")]`.
pub fn deserialize<'de, T: From<OsString>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    Ok(match Text::deserialize(from)? {
        Text::Utf8(utf8) => OsString::from(utf8),
        Text::Bytes(bytes) => OsString::from_vec(bytes),
    }
    .into())
}
