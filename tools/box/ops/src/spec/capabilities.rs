//! `--cap-add`, `--cap-drop` and `--privileged` as the capability sets of config.json (capabilities(7)).

use std::collections::{BTreeSet, HashSet};

use oci_spec::runtime::{Capability, LinuxCapabilities, LinuxCapabilitiesBuilder};

use super::SpecError;
use super::build::Wanted;

/// docker's default set (moby, `oci/caps/defaults.go`).
const DEFAULT_CAPABILITIES: [Capability; 14] = [
    Capability::Chown,
    Capability::DacOverride,
    Capability::Fowner,
    Capability::Fsetid,
    Capability::Kill,
    Capability::Setgid,
    Capability::Setuid,
    Capability::Setpcap,
    Capability::NetBindService,
    Capability::NetRaw,
    Capability::SysChroot,
    Capability::Mknod,
    Capability::AuditWrite,
    Capability::Setfcap,
];

/// The program's capabilities: docker's default set, changed by `--cap-add` and `--cap-drop`; either may be `ALL`. An added
/// capability wins over `--cap-drop ALL`.
///
/// # Errors
/// A name that is no capability.
pub fn capabilities(wanted: &Wanted) -> Result<HashSet<Capability>, SpecError> {
    let is_all = |name: &String| name.eq_ignore_ascii_case("all");
    let mut caps: HashSet<Capability> = if wanted.privileged || wanted.cap_add.iter().any(is_all) {
        all_capabilities()
    } else if wanted.cap_drop.iter().any(is_all) {
        HashSet::new()
    } else {
        DEFAULT_CAPABILITIES.into_iter().collect()
    };
    for name in wanted.cap_drop.iter().filter(|name| !is_all(name)) {
        caps.remove(&capability(name)?);
    }
    for name in wanted.cap_add.iter().filter(|name| !is_all(name)) {
        caps.insert(capability(name)?);
    }
    Ok(caps)
}

/// The capability sets of config.json: bounding, effective and permitted are `caps`, inheritable and ambient are empty.
pub(super) fn sets(caps: HashSet<Capability>) -> Result<LinuxCapabilities, SpecError> {
    Ok(LinuxCapabilitiesBuilder::default()
        .bounding(caps.clone())
        .effective(caps.clone())
        .permitted(caps)
        .inheritable(HashSet::new())
        .ambient(HashSet::new())
        .build()?)
}

/// The capability sets of `--privileged`: all that this kernel has.
///
/// # Errors
/// [`SpecError::Build`], from oci-spec.
pub fn all_sets() -> Result<LinuxCapabilities, SpecError> {
    sets(all_capabilities())
}

/// `--cap-add` and `--cap-drop` as docker records them: whole names, sorted, each once; what is added is not dropped.
pub fn recorded(add: &[String], drop: &[String]) -> (Vec<String>, Vec<String>) {
    let names = |given: &[String]| -> BTreeSet<String> {
        let all: BTreeSet<String> = given.iter().map(|name| whole(name)).collect();
        if all.contains(ALL) {
            BTreeSet::from([ALL.to_owned()])
        } else {
            all
        }
    };
    let (add, mut drop) = (names(add), names(drop));
    drop.retain(|name| !add.contains(name));
    (add.into_iter().collect(), drop.into_iter().collect())
}

/// Stands for every capability.
const ALL: &str = "ALL";

/// `CAP_NET_ADMIN` of `net_admin`; `ALL` stays.
fn whole(name: &str) -> String {
    let upper = name.to_ascii_uppercase();
    if upper == ALL || upper.starts_with("CAP_") {
        upper
    } else {
        format!("CAP_{upper}")
    }
}

/// `NET_ADMIN`, `CAP_NET_ADMIN`, in any case.
fn capability(name: &str) -> Result<Capability, SpecError> {
    let upper = whole(name);
    let parsed = upper.parse::<caps::Capability>().ok();
    let known = parsed.and_then(|_| {
        all_capabilities()
            .into_iter()
            .find(|cap| with_prefix(*cap) == upper)
    });
    known.ok_or_else(|| SpecError::Rule(format!("unknown capability: \"{name}\"")))
}

fn with_prefix(cap: Capability) -> String {
    let name = cap.to_string();
    if name.starts_with("CAP_") {
        name
    } else {
        format!("CAP_{name}")
    }
}

/// The capabilities that this process can give: those in its bounding set, as podman does, since no runtime can raise another.
fn all_capabilities() -> HashSet<Capability> {
    let bounding = caps::read(None, caps::CapSet::Bounding);
    bounding
        .unwrap_or_else(|_| caps::runtime::thread_all_supported())
        .into_iter()
        .filter_map(|cap| {
            let name = cap.to_string();
            serde_json::from_value(serde_json::Value::String(name)).ok()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// docker's `opts.EffectiveCapAddCapDrop`.
    #[test]
    fn names_are_recorded_whole_sorted_and_once() {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let add = names(&["sys_time", "NET_ADMIN", "cap_net_admin"]);
        let drop = names(&["net_admin", "chown"]);
        let wanted = (
            names(&["CAP_NET_ADMIN", "CAP_SYS_TIME"]),
            names(&["CAP_CHOWN"]),
        );
        assert_eq!(recorded(&add, &drop), wanted);
        let all = (names(&["CAP_CHOWN"]), names(&["ALL"]));
        assert_eq!(recorded(&names(&["chown"]), &names(&["chown", "all"])), all);
    }

    #[test]
    fn capabilities_are_dockers_less_and_more() {
        assert_eq!(capabilities(&Wanted::default()).unwrap().len(), 14);
        let less = Wanted {
            cap_drop: vec!["ALL".into()],
            cap_add: vec!["net_admin".into()],
            ..Wanted::default()
        };
        assert_eq!(
            capabilities(&less).unwrap(),
            HashSet::from([Capability::NetAdmin])
        );
        let wrong = Wanted {
            cap_add: vec!["NET_ADMN".into()],
            ..Wanted::default()
        };
        assert_eq!(
            capabilities(&wrong).unwrap_err().to_string(),
            "unknown capability: \"NET_ADMN\""
        );
    }
}
