//! The files of a network: its record, its lock, its leases and who uses it.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kit_home::{Replace, replace};
use kit_plan::Roots;

use super::Network;
use crate::{BridgeError, file};

/// Where a network's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dir(PathBuf);

impl Dir {
    /// Of the network `name`. Touches nothing.
    pub fn new(roots: &Roots, name: &str) -> Self {
        Self(roots.run.join("networks").join(name))
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }

    pub(crate) fn cursor(&self) -> PathBuf {
        self.0.join("cursor")
    }

    pub(crate) fn record(&self) -> PathBuf {
        self.0.join("network.json")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.0.join("leases")
    }

    pub(crate) fn lease(&self, addr: Ipv4Addr) -> PathBuf {
        self.leases().join(addr.to_string())
    }

    pub(crate) fn members(&self) -> PathBuf {
        self.0.join("members")
    }

    /// The file that says that `id` uses it.
    pub fn member(&self, id: &str) -> PathBuf {
        self.members().join(id)
    }

    /// The IDs of the network's members, sorted.
    pub fn list_members(&self) -> Vec<String> {
        let files = fs::read_dir(self.members()).into_iter().flatten().flatten();
        let mut ids: Vec<String> = files
            .filter_map(|file| file.file_name().into_string().ok())
            .collect();
        ids.sort();
        ids
    }

    /// The record, if the network is there.
    ///
    /// # Errors
    /// It cannot be read, or a later boxkit wrote it.
    pub fn read(&self) -> Result<Option<Network>, BridgeError> {
        file::read(&self.record())
    }

    pub(crate) fn make(&self) -> Result<(), BridgeError> {
        let members = self.members();
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&members);
        made.map_err(BridgeError::io("making", members))
    }

    /// Made if need be, and locked: [`remove`](super::remove) may delete it between the two.
    pub(crate) fn make_locked(&self) -> Result<kit_home::lock::Lock, BridgeError> {
        let gone = |error: &BridgeError| matches!(error, BridgeError::Io { source, .. } if source.kind() == ErrorKind::NotFound);
        loop {
            match self.make().and_then(|()| crate::lock::wait(&self.lock())) {
                Ok(lock) if self.members().is_dir() => return Ok(lock),
                // Locked before it was emptied, or not at all.
                Ok(_) => {}
                Err(error) if gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn write(&self, network: &Network) -> Result<(), BridgeError> {
        let temporary = self.0.join(".network.json.new");
        let text = file::text(network) + "\n";
        let written = replace(
            &self.record(),
            text.as_bytes(),
            &Replace::beside(&temporary),
        );
        written.map_err(BridgeError::io("writing", self.record()))
    }
}
