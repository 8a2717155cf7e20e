//! JSON files that say of which version their shape is. One without a version counts as 0, of an early boxkit; what a later
//! boxkit wrote is an error, and nobody guesses at it.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A file that is not understood.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum JsonError {
    #[error("reading {path:?}: {source}")]
    Shape {
        path: PathBuf,
        source: serde_json::Error,
    },
    #[error("reading {path:?}: it is of version {version}, and this boxkit knows {latest}")]
    Later {
        path: PathBuf,
        version: u32,
        latest: u32,
    },
}

impl JsonError {
    /// [`JsonError::Shape`] of the file at `path`, for `map_err`.
    pub fn shape(path: &Path) -> impl Fn(serde_json::Error) -> Self {
        |source| Self::Shape {
            path: path.to_owned(),
            source,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Shape { path, .. } | Self::Later { path, .. } => path,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        matches!(self, Self::Later { .. }).then_some("a later boxkit wrote it: use that one")
    }
}

/// The version that the text of the file at `path` names, where `latest` is the one that this boxkit writes.
///
/// # Errors
/// [`JsonError::Later`]; [`JsonError::Shape`] if the text is not JSON.
pub fn json_version(path: &Path, text: &[u8], latest: u32) -> Result<u32, JsonError> {
    #[derive(Deserialize)]
    struct Only {
        #[serde(default)]
        version: u32,
    }
    let Only { version } = serde_json::from_slice(text).map_err(JsonError::shape(path))?;
    if version <= latest {
        return Ok(version);
    }
    Err(JsonError::Later {
        path: path.to_owned(),
        version,
        latest,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_version_is_refused_in_words() {
        let version = |text: &str| {
            json_version(Path::new("/f"), text.as_bytes(), 2).map_err(|error| error.to_string())
        };
        assert_eq!(version(r#"{"name": "x"}"#), Ok(0));
        assert_eq!(version(r#"{"version": 2, "name": "x"}"#), Ok(2));
        assert_eq!(
            version(r#"{"version": 3}"#).unwrap_err(),
            "reading \"/f\": it is of version 3, and this boxkit knows 2"
        );
        assert!(version("version: 2").is_err());
    }
}
