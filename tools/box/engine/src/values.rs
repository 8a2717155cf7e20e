//! Values of config.json that the specification does not allow, or that contradict each other: refused before anything is
//! made, by the name of the field. Fields that are not carried out at all are in [`crate::fields`].

use std::collections::HashSet;

use oci_spec::runtime::{LinuxNamespaceType, PosixRlimitType, Process, Spec};

use crate::{EngineError, namespaces};

type Checked = Result<(), EngineError>;

/// Refuses such values.
pub(crate) fn check(spec: &Spec) -> Checked {
    let missing = |field: &str| EngineError::invalid(field, "it is missing");
    if spec.root().is_none() {
        return Err(missing("root"));
    }
    let process = spec.process().as_ref().ok_or_else(|| missing("process"))?;
    of_process(process)?;
    let annotations = spec.annotations().as_ref();
    let init = annotations.and_then(|all| all.get(crate::init::ANNOTATION));
    if let Some(value) = init.filter(|value| !matches!(value.as_str(), "true" | "false")) {
        let field = format!("annotations.{}", crate::init::ANNOTATION);
        let reason = format!("{value:?} is neither \"true\" nor \"false\"");
        return Err(EngineError::invalid(&field, reason));
    }
    devices(spec)
}

fn of_process(process: &Process) -> Checked {
    let invalid = |field: &str, reason: String| Err(EngineError::invalid(field, reason));
    match process.args().iter().flatten().next() {
        None => return invalid("process.args", "it names no program".to_owned()),
        Some(name) if name.is_empty() => {
            return invalid("process.args", "the program's name is empty".to_owned());
        }
        Some(_) => {}
    }
    if !process.cwd().is_absolute() {
        let reason = format!("{:?} does not begin with a slash", process.cwd());
        return invalid("process.cwd", reason);
    }
    let mut seen = HashSet::new();
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ();
        if !seen.insert(name.to_string()) {
            return invalid("process.rlimits", format!("{name} is there twice"));
        }
        if name == PosixRlimitType::RlimitRttime {
            let reason = "RLIMIT_RTTIME is not set by this engine";
            return Err(EngineError::unsupported("process.rlimits.type", reason));
        }
        if limit.soft() > limit.hard() {
            let reason = format!(
                "{name} has soft {} above hard {}",
                limit.soft(),
                limit.hard()
            );
            return invalid("process.rlimits.soft", reason);
        }
    }
    if let Some(score) = process.oom_score_adj()
        && !(-1000..=1000).contains(&score)
    {
        let reason = format!("{score} is not between -1000 and 1000");
        return invalid("process.oomScoreAdj", reason);
    }
    scheduler(process)
}

fn scheduler(process: &Process) -> Checked {
    let Some(scheduler) = process.scheduler() else {
        return Ok(());
    };
    let priority = scheduler.priority().unwrap_or(0);
    if priority < 0 {
        let reason = format!("{priority} is below 0");
        return Err(EngineError::invalid("process.scheduler.priority", reason));
    }
    let flags = scheduler.flags().iter().flatten();
    let mut seen = Vec::new();
    for flag in flags {
        if seen.contains(&flag) {
            let reason = format!("{flag:?} is there twice");
            return Err(EngineError::invalid("process.scheduler.flags", reason));
        }
        seen.push(flag);
    }
    Ok(())
}

/// In a user namespace no node can be made (mknod(2)): the host's node of the same path is bound, with its mode and owner.
fn devices(spec: &Spec) -> Checked {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.devices().as_ref());
    let has_maps = namespaces::has_other_ids(spec);
    for device in given.into_iter().flatten() {
        if !device.path().is_absolute() {
            let reason = format!("{:?} does not begin with a slash", device.path());
            return Err(EngineError::invalid("linux.devices.path", reason));
        }
        let owned = [
            ("fileMode", device.file_mode().is_some()),
            ("uid", device.uid().is_some()),
            ("gid", device.gid().is_some()),
        ];
        if let (true, Some((field, _))) = (has_maps, owned.into_iter().find(|(_, set)| *set)) {
            let reason = format!(
                "the host's {:?} is bound in a user namespace, and keeps its own",
                device.path()
            );
            let field = format!("linux.devices.{field}");
            return Err(EngineError::unsupported(field, reason));
        }
    }
    let maps = linux.map(|linux| {
        let any = |maps: &Option<Vec<_>>| maps.iter().flatten().next().is_some();
        (any(linux.uid_mappings()), any(linux.gid_mappings()))
    });
    if namespaces::has_new(spec, LinuxNamespaceType::User) {
        let lacking = match maps {
            Some((true, false)) => "linux.gidMappings",
            Some((false, true)) => "linux.uidMappings",
            _ => return Ok(()),
        };
        let reason = "a new user namespace needs linux.uidMappings and linux.gidMappings";
        return Err(EngineError::invalid(lacking, reason));
    }
    Ok(())
}
