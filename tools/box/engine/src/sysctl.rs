//! `linux.sysctl`: written in the container's own namespaces, before /proc/sys is read-only there. A sysctl that no
//! namespace has would be the host's.

use std::path::PathBuf;

use kit_plan::{Context, Done, Line, Meta, Shell, Side, Step, StepError};
use oci_spec::runtime::{LinuxNamespaceType as Type, Spec};

use super::error::fail;
use super::namespaces::has_new;
use crate::{EngineError, says};

/// Sysctls of the IPC namespace (namespaces(7)), besides those of fs.mqueue.
const IPC: [&str; 8] = [
    "kernel.msgmax",
    "kernel.msgmnb",
    "kernel.msgmni",
    "kernel.sem",
    "kernel.shmall",
    "kernel.shmmax",
    "kernel.shmmni",
    "kernel.shm_rmid_forced",
];

/// The kind of the namespaces that have a sysctl each for itself, by its name with dots or slashes; `None` for one of the
/// whole host, and for what is no name of a sysctl.
pub fn namespace_of(name: &str) -> Option<Type> {
    let parts = parts(name);
    if !is_name(&parts) {
        return None;
    }
    let dotted = parts.join(".");
    match dotted.as_str() {
        _ if parts.first() == Some(&"net") => Some(Type::Network),
        _ if dotted.starts_with("fs.mqueue.") || IPC.contains(&dotted.as_str()) => Some(Type::Ipc),
        "kernel.domainname" | "kernel.hostname" => Some(Type::Uts),
        _ => None,
    }
}

/// Writes one sysctl.
pub struct SetSysctl {
    name: String,
    value: String,
}

/// A step for each sysctl, in the order of their names.
pub fn steps(spec: &Spec) -> Result<Vec<SetSysctl>, EngineError> {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.sysctl().as_ref());
    let mut all: Vec<_> = given.into_iter().flatten().collect();
    all.sort();
    let step = |(name, value): (&String, &String)| {
        check(spec, name)?;
        // The kernel would take the first line, or nothing, and say nothing.
        let reason = match value.as_str() {
            "" => Some("its value is empty".to_owned()),
            _ if value.contains('\n') => Some(format!("{value:?} is more than one line")),
            _ => None,
        };
        if let Some(reason) = reason {
            let field = format!("linux.sysctl.{name}");
            return Err(EngineError::invalid(field, reason));
        }
        Ok(SetSysctl {
            name: name.clone(),
            value: value.clone(),
        })
    };
    all.into_iter().map(step).collect()
}

/// The parts of a name. Dots are between them, or slashes where a part has a dot in it (sysctl.d(5)).
fn parts(name: &str) -> Vec<&str> {
    let separator = name
        .find(['.', '/'])
        .map_or('.', |at| name[at..].chars().next().unwrap_or('.'));
    name.split(separator).collect()
}

/// Whether its path stays where its parts say.
fn is_name(parts: &[&str]) -> bool {
    let is_part = |part: &&str| !matches!(*part, "" | "." | "..");
    parts.iter().all(is_part)
}

fn check(spec: &Spec, name: &str) -> Result<(), EngineError> {
    let wrong = |reason: String| Err(EngineError::invalid(format!("linux.sysctl.{name}"), reason));
    let parts = parts(name);
    if !is_name(&parts) {
        return wrong("it is no name of a sysctl".to_owned());
    }
    if parts.join(".") == "kernel.hostname" {
        return wrong("the field hostname sets it".to_owned());
    }
    let Some(kind) = namespace_of(name) else {
        return wrong("no namespace has it, so that it would be the host's".to_owned());
    };
    let what = match kind {
        Type::Network => "network",
        Type::Uts => "uts",
        _ => "ipc",
    };
    if has_new(spec, kind) {
        Ok(())
    } else {
        wrong(format!(
            "it needs the {what} namespace to be the container's own"
        ))
    }
}

impl SetSysctl {
    fn path(&self) -> PathBuf {
        let mut path = PathBuf::from("/proc/sys");
        path.extend(parts(&self.name));
        path
    }
}

impl Step for SetSysctl {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: self.path().into(),
            text: (&self.value).into(),
        };
        Meta::new(
            "sysctl.set",
            says::sysctl(&self.name, &self.value),
            Shell::Exact(vec![line]),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let set = rcgroup::write(&self.path(), &self.value);
        set.map_err(fail(format!(
            "setting sysctl {} to {:?}",
            self.name, self.value
        )))?;
        Ok(Done::nothing())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn only_what_a_namespace_of_its_own_has_is_set() {
        let spec = |sysctl: &str, kinds: &str| -> Spec {
            let text = format!(
                r#"{{"ociVersion":"1.2.0","linux":{{"sysctl":{{"{sysctl}":"1"}},"namespaces":[{kinds}]}}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let (net, ipc) = (r#"{"type":"network"}"#, r#"{"type":"ipc"}"#);
        let path = |name: &str, kinds: &str| {
            let steps = steps(&spec(name, kinds)).map_err(|e| e.to_string())?;
            Ok::<_, String>(steps[0].path())
        };
        assert_eq!(
            path("net.ipv4.ip_forward", net).unwrap(),
            Path::new("/proc/sys/net/ipv4/ip_forward")
        );
        let vlan = "net/ipv4/conf/eth0.7/forwarding";
        assert_eq!(path(vlan, net).unwrap(), Path::new("/proc/sys").join(vlan));
        assert_eq!(
            path("kernel.shmmax", ipc).unwrap(),
            Path::new("/proc/sys/kernel/shmmax")
        );
        for (name, kinds, reason) in [
            ("kernel.panic", net, "no namespace has it"),
            ("net.ipv4.ip_forward", ipc, "it needs the network namespace"),
            ("kernel.sem", net, "it needs the ipc namespace"),
            ("net/../kernel/panic", net, "it is no name"),
            ("kernel.hostname", net, "the field hostname"),
        ] {
            let said = path(name, kinds).unwrap_err();
            assert!(said.contains(reason), "{name}: {said}");
        }
    }
}
