//! The JSON files of networks: a record, the leases, the addresses that were chosen. Each says of which version its shape is. One without a
//! version is of an earlier boxkit, and is read; one that cannot be read, or of a later version, is an error and never counts as absent.

use std::io::ErrorKind;
use std::path::Path;

use kit_home::{JsonError, json_version};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::BridgeError;

/// What this boxkit writes. 0 stands for a file without a version, which has the same shape.
const VERSION: u32 = 1;

/// The text of a file: one line of JSON.
pub fn text<T: Serialize>(value: &T) -> String {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        version: u32,
        #[serde(flatten)]
        value: &'a T,
    }
    let version = VERSION;
    // Each of them has strings and numbers only, which always serialize.
    serde_json::to_string(&Versioned { version, value }).unwrap_or_default()
}

/// Reads one; `None` if there is no such file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, BridgeError> {
    let text = match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text.map_err(BridgeError::io("reading", path))?,
    };
    json_version(path, &text, VERSION)?;
    let value = serde_json::from_slice(&text).map_err(JsonError::shape(path))?;
    Ok(Some(value))
}
