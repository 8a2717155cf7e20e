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

/// Where the bytes from 0x80 on are, in the private plane of Unicode: byte 0x80 + n is U+10F880 + n.
const FIRST: u32 = 0x10_F880;
const LAST: u32 = FIRST + 0x7f;

/// The byte that a character of [`escape`]'s stands for.
pub fn escaped_byte(c: char) -> Option<u8> {
    // At most 0xff.
    let code = u32::from(c);
    (FIRST..=LAST)
        .contains(&code)
        .then(|| (code - FIRST + 0x80) as u8)
}

/// A text of any bytes as a string, for JSON of others that has nothing else (an OCI configuration's arguments, variables
/// and paths): a byte that is not UTF-8 becomes a private character, and [`unescape`] brings it back. What is UTF-8 stays
/// as it is, but for these characters themselves.
pub fn escape(text: impl AsRef<OsStr>) -> String {
    let mut out = String::new();
    let byte = |byte: &u8| char::from_u32(FIRST - 0x80 + u32::from(*byte)).unwrap_or_default();
    for chunk in text.as_ref().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if escaped_byte(c).is_some() {
                let mut buffer = [0; 4];
                out.extend(c.encode_utf8(&mut buffer).as_bytes().iter().map(byte));
            } else {
                out.push(c);
            }
        }
        out.extend(chunk.invalid().iter().map(byte));
    }
    out
}

/// The bytes that [`escape`] was given. Bytes that are not UTF-8 stay as they are.
pub fn unescape(text: impl AsRef<OsStr>) -> OsString {
    let mut out = Vec::new();
    for chunk in text.as_ref().as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if let Some(byte) = escaped_byte(c) {
                out.push(byte);
            } else {
                let mut buffer = [0; 4];
                out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        let private = "a\u{10F880}\u{10F8FF}é\u{10FFFF}";
        for bytes in [
            (0..=255).collect::<Vec<u8>>(),
            b"caf\xe9".to_vec(),
            b"\xf4\x8f\xa2".to_vec(),
            private.as_bytes().to_vec(),
            Vec::new(),
        ] {
            let escaped = escape(OsStr::from_bytes(&bytes));
            assert_eq!(unescape(&escaped).into_vec(), bytes, "{escaped:?}");
        }
        assert_eq!(escape("grün 日本"), "grün 日本");
        assert_eq!(escape(OsStr::from_bytes(b"caf\xe9")), "caf\u{10F8E9}");
        // What was never escaped is not touched.
        let raw = OsStr::from_bytes(b"caf\xe9");
        assert_eq!(unescape(raw), raw);
    }
}
