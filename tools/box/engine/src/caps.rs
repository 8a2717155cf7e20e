//! Changing user and giving up capabilities, in the order that works. See capabilities(7).

use std::collections::HashSet;

use caps::Capability;
use kit_sys::calls;
use kit_sys::calls::thread::{
    set_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use oci_spec::runtime::LinuxCapabilities;
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set,
    set_keep_capabilities,
};

#[derive(Debug, thiserror::Error)]
pub enum CapsError {
    #[error("{doing}: {source}")]
    Call { doing: &'static str, source: Errno },
    #[error("giving capability \"{name}\": this kernel has no such capability")]
    Unknown { name: String },
}

impl kit_plan::Fault for CapsError {}

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
    bound(bits(wanted.bounding())?).map_err(call("setting bounding capabilities"))?;
    let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    set_thread_groups(&groups).map_err(call("setting supplementary groups"))?;
    let gid = Gid::from_raw(gid);
    set_thread_res_gid(gid, gid, gid).map_err(call("setting the group"))?;
    // Changing from 0 to another user clears the permitted set otherwise.
    set_keep_capabilities(true).map_err(call("keeping capabilities"))?;
    let uid = Uid::from_raw(uid);
    set_thread_res_uid(uid, uid, uid).map_err(call("setting the user"))?;
    set_keep_capabilities(false).map_err(call("no longer keeping capabilities"))?;
    // What we do not have ourselves cannot be given: root in a sandbox may lack CAP_SYS_RESOURCE.
    let ours = capabilities(None).map_err(call("reading our capabilities"))?;
    let sets = CapabilitySets {
        effective: bits(wanted.effective())? & ours.permitted,
        permitted: bits(wanted.permitted())? & ours.permitted,
        inheritable: bits(wanted.inheritable())? & ours.permitted,
    };
    // capabilities(7): an ambient one is permitted and inheritable too. What is not is passed over, as runc does, since
    // `runc spec` itself writes a configuration with such.
    let ambient = bits(wanted.ambient())? & sets.permitted & sets.inheritable;
    set_capabilities(None, sets).map_err(call("setting capabilities"))?;
    clear_ambient_capability_set().map_err(call("clearing ambient capabilities"))?;
    for cap in ambient.iter() {
        configure_capability_in_ambient_set(cap, true)
            .map_err(call("setting ambient capabilities"))?;
    }
    Ok(())
}

fn bound(keep: CapabilitySet) -> Result<(), Errno> {
    calls::note(|| {
        let keep = calls::flags(keep, "CAP_");
        format!("prctl(PR_CAPBSET_DROP) of all but {keep}")
    });
    for number in 0..u64::BITS {
        let cap = CapabilitySet::from_bits_retain(1 << number);
        if keep.contains(cap) {
            continue;
        }
        match remove_capability_from_bounding_set(cap) {
            // The kernel's last one was before this (prctl(2)).
            Err(Errno::INVAL) => break,
            other => other?,
        }
    }
    Ok(())
}

fn bits(wanted: &Wanted) -> Result<CapabilitySet, CapsError> {
    let mut all = CapabilitySet::empty();
    for cap in wanted.iter().flatten() {
        let name = cap.to_string();
        let name = if name.starts_with("CAP_") {
            name
        } else {
            format!("CAP_{name}")
        };
        let known: Result<Capability, _> = name.parse();
        let cap = known.map_err(|_| CapsError::Unknown { name })?;
        all |= CapabilitySet::from_bits_retain(1 << cap.index());
    }
    Ok(all)
}
