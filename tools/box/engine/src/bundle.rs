//! An OCI bundle: a directory with config.json and a root. See the runtime specification, bundle.md, config.md.

use std::path::{Path, PathBuf};

use oci_spec::runtime::Spec;

use crate::{EngineError, config, fields};

/// The newest specification whose fields this engine knows, each of them (docs/oci.md).
pub const OCI_VERSION: &str = "1.2.1";

/// A configuration and its directory.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// config.json.
    pub spec: Spec,
    /// The bundle's directory, which relative paths start from and hooks are told.
    pub dir: PathBuf,
}

impl Bundle {
    /// Reads `dir`/config.json.
    ///
    /// # Errors
    /// A file that cannot be read or is no configuration, a version that is not 1.x, a field that is not carried out, or one
    /// that a newer version may have. The error names the field.
    pub fn open(dir: &Path) -> Result<Self, EngineError> {
        let path = dir.join("config.json");
        let spec = config::read(&path)?;
        let dir = std::path::absolute(dir).map_err(|source| EngineError::Io { path, source })?;
        let bundle = Self { spec, dir };
        fields::check(&bundle.spec)?;
        Ok(bundle)
    }

    /// The root directory that config.json names.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        let named = self.spec.root().as_ref().map(|root| root.path().clone());
        self.dir.join(named.unwrap_or_else(|| "rootfs".into()))
    }
}
