//! What every start needs and no container decides: found out while the client still reads its flags and its image.

use kit_plan::ProcessId;
use rcgroup::{CgroupError, Hierarchies};

use crate::engine::seccomp;
use crate::spec::build::{Wanted, capabilities};

/// The host as this start sees it.
pub struct Early {
    pub cgroups: Result<Hierarchies, CgroupError>,
}

impl Early {
    pub fn look() -> Self {
        // The boot that it names is remembered.
        let _ = ProcessId::of_self();
        if let Ok(caps) = capabilities(&Wanted::default()) {
            seccomp::warm(caps);
        }
        Self {
            cgroups: Hierarchies::detect(),
        }
    }
}
