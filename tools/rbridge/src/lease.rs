//! Leases: which container has which address of a network.
//!
//! A lease is a file named by its address. It is written whole under another name and published by link(2):
//! EEXIST means taken, so that two runs at once never share one, with no lock. Addresses rotate: one just
//! released is the last to be handed out again, so nobody waits for the kernel to tear a namespace down. Only
//! when all are taken, stale ones are taken over, and that is under the network's lock.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use kit_plan::{
    Context, Done, Line, Meta, ProcessId, Shell, SlotId, Slots, Step, StepError, Undo, words,
};
use kit_sys::calls;
use serde::{Deserialize, Serialize};

use crate::network::{Dir, Network};
use crate::port::HostPort;
use crate::says;
use crate::{BridgeError, file};

/// What a lease's file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The member of the network that has it: a container's ID.
    pub owner: String,
    /// The process that took it; a script does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<ProcessId>,
    /// The ports of this host that lead to the address, each to a port there: what brings them back when another
    /// program has flushed our table.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<(HostPort, u16)>,
}

/// All leases of a network, sorted by address.
///
/// # Errors
/// One cannot be read, or a later boxkit wrote it.
pub fn leases(dir: &Dir) -> Result<Vec<(Ipv4Addr, Lease)>, BridgeError> {
    let files = fs::read_dir(dir.leases()).into_iter().flatten().flatten();
    let mut found = Vec::new();
    for entry in files {
        let addr = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        // One that is released meanwhile is absent.
        if let Some(addr) = addr
            && let Some(lease) = file::read(&entry.path())?
        {
            found.push((addr, lease));
        }
    }
    found.sort_by_key(|(addr, _): &(Ipv4Addr, Lease)| *addr);
    Ok(found)
}

/// Those of members: the others are about to be used, or will be swept up.
pub(crate) fn held(dir: &Dir) -> Result<Vec<(Ipv4Addr, Lease)>, BridgeError> {
    let mut held = leases(dir)?;
    held.retain(|(_, lease)| !is_stale(dir, lease));
    Ok(held)
}

/// Takes a free address for `owner`.
pub fn acquire(dir: &Dir, network: &Network, owner: &str) -> Result<Ipv4Addr, BridgeError> {
    acquire_with(dir, network, owner, &[])
}

fn acquire_with(
    dir: &Dir,
    network: &Network,
    owner: &str,
    ports: &[(HostPort, u16)],
) -> Result<Ipv4Addr, BridgeError> {
    let leases = dir.leases();
    calls::fs::create_dir_all(&leases).map_err(BridgeError::io("making", &leases))?;
    let by = ProcessId::of_self().map_err(BridgeError::io("reading", "/proc/self/stat"))?;
    let by = Some(by);
    let lease = Lease {
        owner: owner.to_owned(),
        by,
        ports: ports.to_vec(),
    };
    let temporary = leases.join(format!(".{owner}.{}.new", std::process::id()));
    calls::fs::write(&temporary, file::text(&lease))
        .map_err(BridgeError::io("writing", &temporary))?;
    let taken = take(dir, network, &temporary);
    let _ = fs::remove_file(&temporary);
    let addr = taken?;
    // A hint for the next one and nothing more: a torn or lost write costs a few tries.
    let _ = fs::write(dir.cursor(), addr.to_string());
    Ok(addr)
}

fn take(dir: &Dir, network: &Network, temporary: &Path) -> Result<Ipv4Addr, BridgeError> {
    let cursor = fs::read_to_string(dir.cursor())
        .ok()
        .and_then(|text| text.trim().parse().ok());
    for addr in network.addresses(cursor) {
        if publish(temporary, &dir.lease(addr))? {
            return Ok(addr);
        }
    }
    let _lock = crate::lock::wait(&dir.lock())?;
    let mut unread = None;
    for addr in network.addresses(cursor) {
        let path = dir.lease(addr);
        match file::read(&path) {
            Ok(Some(lease)) if !is_stale(dir, &lease) => continue,
            // Freed since, or of an owner that ended.
            Ok(_) => {}
            // An address whose lease cannot be read is taken.
            Err(error) => {
                unread.get_or_insert(error);
                continue;
            }
        }
        let _ = fs::remove_file(&path);
        if publish(temporary, &path)? {
            return Ok(addr);
        }
    }
    Err(unread.unwrap_or_else(|| BridgeError::Full {
        name: network.name.clone(),
        subnet: network.subnet().to_string(),
    }))
}

/// Whether it is ours now.
fn publish(temporary: &Path, path: &Path) -> Result<bool, BridgeError> {
    match calls::fs::hard_link(temporary, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(BridgeError::io("leasing", path)(error)),
    }
}

/// Its owner is no member of the network, and the process that took it has ended, so the owner will not become one.
pub(crate) fn is_stale(dir: &Dir, lease: &Lease) -> bool {
    !dir.member(&lease.owner).exists() && !lease.taker_lives()
}

impl Lease {
    fn taker_lives(&self) -> bool {
        self.by.as_ref().is_some_and(ProcessId::is_alive)
    }
}

/// Removes what nobody will use, and says what: leases without owner, and temporary files of the dead. Under the
/// network's lock.
///
/// # Errors
/// A lease cannot be read, or a later boxkit wrote it: then nothing is removed.
pub fn sweep(dir: &Dir) -> Result<Vec<PathBuf>, BridgeError> {
    let stale = leases(dir)?.into_iter();
    let stale = stale.filter(|(_, lease)| is_stale(dir, lease));
    let mut gone: Vec<PathBuf> = stale.map(|(addr, _)| dir.lease(addr)).collect();
    for entry in fs::read_dir(dir.leases()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let temporary = name.to_str().is_some_and(|name| name.starts_with('.'));
        // A temporary file that cannot be read is being written just now, or goes with the network.
        let lease = || file::read(&entry.path()).ok().flatten();
        let dead = || lease().is_some_and(|lease: Lease| !lease.taker_lives());
        if temporary && dead() {
            gone.push(entry.path());
        }
    }
    gone.retain(|path| fs::remove_file(path).is_ok());
    Ok(gone)
}

/// A step that takes an address, or the one asked for, and fills `slot` with it, without a prefix.
pub struct AcquireLease {
    /// The network's files.
    pub dir: Dir,
    /// Whose addresses it is one of.
    pub network: Network,
    /// Who gets it: a container's ID.
    pub owner: String,
    /// Where the address is put.
    pub slot: SlotId,
    /// What will be published, see [`Lease::ports`].
    pub ports: Vec<(HostPort, u16)>,
}

impl Step for AcquireLease {
    fn meta(&self) -> Meta {
        // noclobber is O_EXCL: in sh the file is its own lock too. Addresses are counted as numbers.
        const TAKE: &str = "mkdir -p \"$1\"; n=$2; while [ $((n += 1)) -lt \"$3\" ]; do \
            ip=$((n >> 24 & 255)).$((n >> 16 & 255)).$((n >> 8 & 255)).$((n & 255)); [ \"$ip\" != \"$4\" ] || continue; \
            (set -C; echo \"$5\" >\"$1/$ip\") 2>/dev/null && echo \"$ip\" && exit; done; exit 1";
        let lease = Lease {
            owner: self.owner.clone(),
            by: None,
            ports: self.ports.clone(),
        };
        let (first, last) = self.network.ends();
        let argv = words![
            "sh",
            "-c",
            TAKE,
            "sh",
            self.dir.leases(),
            first.to_bits().to_string(),
            last.to_bits().to_string(),
            self.network.gateway.to_string(),
            file::text(&lease)
        ];
        let says = says::lease(self.network.subnet());
        Meta::new(
            "lease.acquire",
            says,
            Shell::Exact(vec![Line::Capture {
                slot: self.slot,
                argv,
            }]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Which one is not known yet. A lease whose taker is gone and whose owner never joined is stale: it
        // is taken over or swept.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let addr = acquire_with(&self.dir, &self.network, &self.owner, &self.ports)?;
        cx.slots.fill(self.slot, addr.to_string());
        Ok(
            Done::made(vec![Undo::unlink(self.dir.lease(addr)).identified()])
                .value(addr.to_string()),
        )
    }
}
