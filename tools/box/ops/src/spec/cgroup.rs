//! Flags as config.json's `linux.resources` and `linux.rootfsPropagation`. Pure.

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources, Mount};

use super::build::Wanted;

/// The limits, and the rule that denies all devices but those that every runtime adds; `--privileged` allows them all.
pub fn resources(wanted: &Wanted) -> LinuxResources {
    let mut resources = box_engine::resources::to_resources(&wanted.limits);
    let mut rule = LinuxDeviceCgroup::default();
    rule.set_allow(wanted.privileged);
    rule.set_access(Some("rwm".to_owned()));
    resources.set_devices(Some(vec![rule]));
    resources
}

/// The root's propagation, as with docker: a volume that sees the host's later mounts, or shows its own, needs a root that
/// lets them pass.
pub fn propagation(mounts: &[Mount]) -> Option<String> {
    let any = |words: [&str; 2]| {
        let mut options = mounts
            .iter()
            .flat_map(|mount| mount.options().iter().flatten());
        options.any(|option| words.contains(&option.as_str()))
    };
    if any(["shared", "rshared"]) {
        Some("shared".to_owned())
    } else if any(["slave", "rslave"]) {
        Some("slave".to_owned())
    } else {
        None
    }
}
