//! Profile files as docker and podman write them: OCI's rules, some of them only for a capability or architecture.
//!
//! Read as plain OCI such a file would grant everybody what it grants to CAP_SYS_ADMIN, for unknown fields are
//! ignored there. See docker's documentation, "Seccomp security profiles for Docker".

use std::collections::HashSet;
use std::hash::BuildHasher;

use oci_spec::runtime::{Arch, Capability, LinuxSeccomp, LinuxSyscall};
use serde::Deserialize;

/// What a file says beside the `LinuxSeccomp` in it; rule by rule in the same order.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Beside {
    #[serde(default)]
    arch_map: Vec<ArchMap>,
    #[serde(default)]
    syscalls: Vec<When>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArchMap {
    architecture: Arch,
    sub_architectures: Option<Vec<Arch>>,
}

#[derive(Default, Deserialize)]
struct When {
    includes: Option<Filter>,
    excludes: Option<Filter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    caps: Vec<String>,
    #[serde(default)]
    arches: Vec<String>,
    min_kernel: Option<String>,
}

/// The profile in the JSON `text`, OCI's or docker's, for a process that has the capabilities `caps`.
pub fn read_profile<S: BuildHasher>(
    text: &[u8],
    caps: &HashSet<Capability, S>,
) -> Result<LinuxSeccomp, serde_json::Error> {
    let mut profile: LinuxSeccomp = serde_json::from_slice(text)?;
    let beside: Beside = serde_json::from_slice(text)?;
    let caps: Vec<String> = caps.iter().map(|cap| format!("CAP_{cap}")).collect();
    let rules = profile.syscalls().clone().unwrap_or_default();
    let kept: Vec<LinuxSyscall> = rules
        .into_iter()
        .zip(&beside.syscalls)
        .filter_map(|(rule, when)| when.applies(&caps).then_some(rule))
        .collect();
    profile.set_syscalls(Some(kept));
    let native = if cfg!(target_arch = "aarch64") {
        Arch::ScmpArchAarch64
    } else {
        Arch::ScmpArchX86_64
    };
    let mut maps = beside.arch_map.into_iter();
    if let Some(map) = maps.find(|map| map.architecture == native) {
        let mut all = map.sub_architectures.unwrap_or_default();
        all.push(native);
        profile.set_architectures(Some(all));
    }
    Ok(profile)
}

impl When {
    /// All that is included must be there, and nothing that is excluded, as docker has it.
    fn applies(&self, caps: &[String]) -> bool {
        self.includes.as_ref().is_none_or(|each| {
            each.caps.iter().all(|cap| caps.contains(cap))
                && (each.arches.is_empty() || each.names_this_architecture())
                && each.min_kernel.as_deref().is_none_or(is_at_least)
        }) && self.excludes.as_ref().is_none_or(|each| {
            !each.caps.iter().any(|cap| caps.contains(cap))
                && !each.names_this_architecture()
                && !each.min_kernel.as_deref().is_some_and(is_at_least)
        })
    }
}

impl Filter {
    /// By Go's names of architectures.
    fn names_this_architecture(&self) -> bool {
        let name = if cfg!(target_arch = "aarch64") {
            "arm64"
        } else {
            "amd64"
        };
        self.arches.iter().any(|each| each == name)
    }
}

/// Is the running kernel `wanted` ("4.8") or later?
fn is_at_least(wanted: &str) -> bool {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    version(&release) >= version(wanted)
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] = br#"{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1,
        "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
                    {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": null}],
        "syscalls": [
        {"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": null, "includes": {}, "excludes": {}},
        {"names": ["mount"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["s390_runtime_instr"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["s390x"]}},
        {"names": ["arch_prctl"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["amd64", "arm64"]}},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64", "arm64"]}},
        {"names": ["ptrace"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "4.8"}},
        {"names": ["future"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "999.0"}}]}"#;

    fn names(caps: &[Capability]) -> Vec<String> {
        let caps: HashSet<_> = caps.iter().copied().collect();
        let profile = read_profile(FILE, &caps).unwrap();
        let rules = profile.syscalls().iter().flatten();
        rules.flat_map(|rule| rule.names().clone()).collect()
    }

    #[test]
    fn a_rule_is_for_whom_it_says() {
        assert_eq!(names(&[]), ["read", "clone3", "arch_prctl", "ptrace"]);
        let admin = names(&[Capability::SysAdmin]);
        assert_eq!(admin, ["read", "mount", "arch_prctl", "ptrace"]);
    }

    #[test]
    fn sub_architectures_are_the_native_ones() {
        let profile = read_profile(FILE, &HashSet::from([Capability::Chown])).unwrap();
        let listed = profile.architectures().clone().unwrap();
        assert_eq!(
            listed.contains(&Arch::ScmpArchX86),
            cfg!(target_arch = "x86_64")
        );
    }

    #[test]
    fn a_plain_oci_profile_is_taken_as_it_is() {
        let text = br#"{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"],
            "syscalls": [{"names": ["mount"], "action": "SCMP_ACT_ERRNO"}]}"#;
        let plain: LinuxSeccomp = serde_json::from_slice(text).unwrap();
        assert_eq!(
            read_profile(text, &HashSet::from([Capability::Chown])).unwrap(),
            plain
        );
        let none = br#"{"defaultAction": "SCMP_ACT_ALLOW"}"#;
        assert!(read_profile(none, &HashSet::from([Capability::Chown])).is_ok());
        assert!(read_profile(b"{}", &HashSet::from([Capability::Chown])).is_err());
    }

    #[test]
    fn versions_compare_by_number() {
        assert!(version("6.18.44-fc") > version("6.9"));
        assert!(version("4.8") > version("4.7.99"));
    }
}
