//! What every start needs and no container decides: found out while the client still reads its flags and its image,
//! and remembered. A monitor's host does not change its hierarchies while it lives.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock};

use kit_plan::ProcessId;
use rcgroup::{CgroupError, Hierarchies};

use crate::engine::{cgroupfs, seccomp};
use crate::spec::build::{Wanted, capabilities};

/// The hierarchies of this host.
pub fn hierarchies() -> Result<Hierarchies, CgroupError> {
    static HOST: OnceLock<Hierarchies> = OnceLock::new();
    if let Some(known) = HOST.get() {
        return Ok(known.clone());
    }
    let found = Hierarchies::detect()?;
    Ok(HOST.get_or_init(|| found).clone())
}

static NETNS: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// A network namespace, for a container that is to have one: nobody sees it, and it goes with its descriptor.
pub fn netns() -> Option<OwnedFd> {
    NETNS.lock().ok()?.take()
}

/// Looks at all of it. What cannot be had is said when it is asked for.
pub fn look(wants_netns: bool) {
    if wants_netns && let (Ok(mut kept), Ok(made)) = (NETNS.lock(), kit_net::unnamed()) {
        *kept = Some(made);
    }
    let _ = hierarchies();
    // The boot that it names is remembered.
    let _ = ProcessId::of_self();
    let _ = cgroupfs::hierarchies();
    if let Ok(caps) = capabilities(&Wanted::default()) {
        seccomp::warm(caps);
    }
}
