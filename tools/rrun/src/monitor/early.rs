//! What every start needs and no container decides: found out while the client still reads its flags and its image,
//! and remembered. A monitor's host does not change its hierarchies while it lives.

use std::sync::OnceLock;

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

/// Looks at all of it. What cannot be had is said when it is asked for.
pub fn look() {
    let _ = hierarchies();
    // The boot that it names is remembered.
    let _ = ProcessId::of_self();
    let _ = cgroupfs::hierarchies();
    if let Ok(caps) = capabilities(&Wanted::default()) {
        seccomp::warm(caps);
    }
}
