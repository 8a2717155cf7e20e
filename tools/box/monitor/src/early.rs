//! What every start needs and no container decides: found out while the client still reads its flags and its image,
//! and remembered. A monitor's host does not change its hierarchies while it lives.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use kit_plan::ProcessId;
use rcgroup::{CgroupError, Hierarchies};

use box_engine::{Bundle, Engine, cgroupfs};
use oci_spec::runtime::Spec;

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

/// What a start that is coming is sure to want, or likely.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    /// A network namespace of its own.
    pub netns: bool,
    /// A configuration like the one that comes, to plan a run of and forget.
    pub rehearsal: fn() -> Option<Spec>,
}

/// Looks at all of it. What cannot be had is said when it is asked for.
pub fn look(ahead: Ahead) {
    if ahead.netns
        && let (Ok(mut kept), Ok(made)) = (NETNS.lock(), kit_net::unnamed())
    {
        *kept = Some(made);
    }
    let _ = hierarchies();
    // The boot that it names is remembered.
    let _ = ProcessId::of_self();
    let _ = cgroupfs::hierarchies();
    if let Some(spec) = (ahead.rehearsal)() {
        let process = spec.process().as_ref();
        let caps = process.and_then(|process| process.capabilities().as_ref()?.bounding().clone());
        kit_seccomp::warm(caps.unwrap_or_default());
        rehearse(&spec);
    }
}

/// Makes the plan of a container that nobody asked for, and forgets it: half of what planning takes is the first touch
/// of the pages that its code is in.
fn rehearse(spec: &Spec) {
    let text = serde_json::to_vec(spec).unwrap_or_default();
    let Ok(spec) = serde_json::from_slice(&text) else {
        return;
    };
    let Ok(host) = hierarchies() else { return };
    let bundle = Bundle {
        spec,
        dir: PathBuf::from("/"),
    };
    let _ = Engine::new("rehearsal", bundle, "/").plan(&host, "");
}
