//! What every start needs, whichever container it is of: prepared while the client still reads its flags and its image,
//! and kept for the start. The host's cgroup hierarchies are assumed not to change while a monitor lives.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock};

use kit_plan::ProcessId;
use rcgroup::{CgroupError, Hierarchies};

use box_engine::{Bundle, Engine, cgroupfs};
use oci_spec::runtime::Spec;

/// The cgroup hierarchies of this host, detected once in each process.
pub fn hierarchies() -> Result<Hierarchies, CgroupError> {
    static HOST: OnceLock<Hierarchies> = OnceLock::new();
    if let Some(known) = HOST.get() {
        return Ok(known.clone());
    }
    let found = Hierarchies::detect()?;
    Ok(HOST.get_or_init(|| found).clone())
}

static NETNS: Mutex<Option<OwnedFd>> = Mutex::new(None);

/// The network namespace that [`look`] made, once: it has no name and ends with its descriptor.
pub fn netns() -> Option<OwnedFd> {
    NETNS.lock().ok()?.take()
}

/// What a forked monitor prepares for a start before it knows the container.
#[derive(Debug, Clone, Copy)]
pub struct Ahead {
    /// Make a network namespace: the container is sure, or likely, to have one of its own.
    pub netns: bool,
    /// A typical configuration. A run of it is planned and thrown away, which warms the code; `None` skips this.
    pub rehearsal: fn() -> Option<Spec>,
}

/// Prepares all of it. A failure is ignored here and reported by the step that needs the thing.
pub fn look(ahead: Ahead) {
    if ahead.netns
        && let (Ok(mut kept), Ok(made)) = (NETNS.lock(), kit_net::unnamed())
    {
        *kept = Some(made);
    }
    let _ = hierarchies();
    // It reads the boot ID, which is cached.
    let _ = ProcessId::of_self();
    let _ = cgroupfs::hierarchies();
    if let Some(spec) = (ahead.rehearsal)() {
        let process = spec.process().as_ref();
        let caps = process.and_then(|process| process.capabilities().as_ref()?.bounding().clone());
        kit_seccomp::warm(caps.unwrap_or_default());
        rehearse(&spec);
    }
}

/// Makes the plan of a made-up container and throws it away: half of the time of planning is the page faults of the first
/// run through its code.
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
