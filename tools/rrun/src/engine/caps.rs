//! Changing user and giving up capabilities, in the order that works. See capabilities(7).

use std::collections::HashSet;

use caps::{CapSet, Capability};
use oci_spec::runtime::LinuxCapabilities;
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;

#[derive(Debug, thiserror::Error)]
pub enum CapsError {
    #[error("{doing}: {source}")]
    Call { doing: &'static str, source: Errno },
    #[error("setting {set} capabilities: {reason}")]
    Set { set: &'static str, reason: String },
    #[error("giving capability \"{name}\": this kernel has no such capability")]
    Unknown { name: String },
}

type Wanted = Option<HashSet<oci_spec::runtime::Capability>>;

/// Becomes `uid`, `gid` and `groups` with the sets that config.json names.
pub fn become_user(
    uid: u32,
    gid: u32,
    groups: &[u32],
    wanted: &LinuxCapabilities,
) -> Result<(), CapsError> {
    let call = |doing| move |source| CapsError::Call { doing, source };
    // While CAP_SETPCAP is still there: nothing outside this set can be had again, not even by a set-uid file.
    bound(&convert(wanted.bounding())?)?;
    let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    rustix::thread::set_thread_groups(&groups).map_err(call("setting supplementary groups"))?;
    let gid = Gid::from_raw(gid);
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(call("setting the group"))?;
    // Changing from 0 to another user clears the permitted set otherwise.
    rustix::thread::set_keep_capabilities(true).map_err(call("keeping capabilities"))?;
    let uid = Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).map_err(call("setting the user"))?;
    rustix::thread::set_keep_capabilities(false).map_err(call("no longer keeping capabilities"))?;
    let sets = [
        // Inheritable before ambient, which must be a subset of it; permitted last, since it is the limit of all.
        (CapSet::Inheritable, "inheritable", wanted.inheritable()),
        (CapSet::Ambient, "ambient", wanted.ambient()),
        (CapSet::Effective, "effective", wanted.effective()),
        (CapSet::Permitted, "permitted", wanted.permitted()),
    ];
    for (set, name, wanted) in sets {
        let mut wanted = convert(wanted)?;
        if matches!(name, "effective" | "permitted") {
            // What we do not have ourselves cannot be given: root in a sandbox may lack CAP_SYS_RESOURCE.
            wanted.retain(|cap| caps::has_cap(None, CapSet::Permitted, *cap).unwrap_or(false));
        }
        let done = caps::set(None, set, &wanted);
        done.map_err(|e| CapsError::Set {
            set: name,
            reason: e.to_string(),
        })?;
    }
    Ok(())
}

fn bound(keep: &HashSet<Capability>) -> Result<(), CapsError> {
    for cap in caps::runtime::thread_all_supported() {
        if keep.contains(&cap) {
            continue;
        }
        caps::drop(None, CapSet::Bounding, cap).map_err(|e| CapsError::Set {
            set: "bounding",
            reason: e.to_string(),
        })?;
    }
    Ok(())
}

fn convert(wanted: &Wanted) -> Result<HashSet<Capability>, CapsError> {
    let each = wanted.iter().flatten().map(|cap| {
        let name = cap.to_string();
        let name = if name.starts_with("CAP_") {
            name
        } else {
            format!("CAP_{name}")
        };
        name.parse().map_err(|_| CapsError::Unknown { name })
    });
    each.collect()
}
