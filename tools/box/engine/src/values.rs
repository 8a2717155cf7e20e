//! Values of config.json that the specification does not allow, or that contradict each other: refused before anything is
//! made, by the name of the field. Fields that are not carried out at all are in [`crate::fields`].

use std::collections::HashSet;
use std::ops::Range;

use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, PosixRlimitType, Process, Spec};

use crate::{EngineError, attributes, namespaces};

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
    devices(spec)?;
    maps(spec)
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
        if name == PosixRlimitType::RlimitNofile && limit.soft() < 3 {
            let reason = format!(
                "{name} has soft {}, and the program's standard streams are 3 open files",
                limit.soft()
            );
            return invalid("process.rlimits.soft", reason);
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
    if let Some(io) = process.io_priority()
        && !(0..=7).contains(&io.priority())
    {
        let reason = format!("{} is not between 0 and 7", io.priority());
        return invalid("process.ioPriority.priority", reason);
    }
    // NGROUPS_MAX of linux/limits.h.
    let groups = process.user().additional_gids().as_ref();
    if let Some(many) = groups.map(Vec::len).filter(|many| *many > 65_536) {
        let reason = format!("{many} groups, and the kernel takes 65536");
        return invalid("process.user.additionalGids", reason);
    }
    capabilities(process)?;
    scheduler(process)
}

/// What capset(2) would refuse without a name (capabilities(7)).
fn capabilities(process: &Process) -> Checked {
    let Some(sets) = process.capabilities() else {
        return Ok(());
    };
    for (name, inner, outer_name, outer) in [
        ("effective", sets.effective(), "permitted", sets.permitted()),
        (
            "inheritable",
            sets.inheritable(),
            "bounding",
            sets.bounding(),
        ),
    ] {
        let within = |cap| outer.iter().flatten().any(|other| other == cap);
        let outside = inner.iter().flatten().filter(|cap| !within(*cap));
        if let Some(cap) = outside.map(|cap| format!("CAP_{cap}")).min() {
            let field = format!("process.capabilities.{name}");
            let reason = format!("{cap} is not {outer_name} too");
            return Err(EngineError::invalid(field, reason));
        }
    }
    Ok(())
}

fn scheduler(process: &Process) -> Checked {
    let Some(scheduler) = process.scheduler() else {
        return Ok(());
    };
    if let Some(nice) = scheduler.nice().filter(|nice| !(-20..=19).contains(nice)) {
        let reason = format!("{nice} is not between -20 and 19");
        return Err(EngineError::invalid("process.scheduler.nice", reason));
    }
    let priority = scheduler.priority().unwrap_or(0);
    if priority < 0 {
        let reason = format!("{priority} is below 0");
        return Err(EngineError::invalid("process.scheduler.priority", reason));
    }
    let flags = scheduler.flags().iter().flatten();
    let mut seen = Vec::new();
    for flag in flags {
        if seen.contains(&flag) {
            let (name, _) = attributes::flag(*flag);
            let reason = format!("{name} is there twice");
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

/// What the kernel would refuse without a word of which mapping it is (user_namespaces(7)).
fn maps(spec: &Spec) -> Checked {
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    for (field, maps) in [
        ("linux.uidMappings", linux.uid_mappings()),
        ("linux.gidMappings", linux.gid_mappings()),
    ] {
        let maps = maps.as_deref().unwrap_or_default();
        let invalid = |reason: String| Err(EngineError::invalid(field, reason));
        if maps.len() > MOST_MAPS {
            return invalid(format!(
                "{} entries, and the kernel takes {MOST_MAPS}",
                maps.len()
            ));
        }
        if maps.iter().any(|map| map.size() == 0) {
            return invalid("an entry has size 0".to_owned());
        }
        let range = |first: u32, size: u32| u64::from(first)..u64::from(first) + u64::from(size);
        let meet = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
        for (at, map) in maps.iter().enumerate() {
            for other in &maps[..at] {
                let of = |map: &LinuxIdMapping| {
                    let (inside, outside) = (map.container_id(), map.host_id());
                    (range(inside, map.size()), range(outside, map.size()))
                };
                let ((inside, outside), (inside_2, outside_2)) = (of(map), of(other));
                if meet(&inside, &inside_2) || meet(&outside, &outside_2) {
                    let (one, two) = (other.container_id(), map.container_id());
                    return invalid(format!(
                        "the entries of containerID {one} and {two} overlap"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// UID_GID_MAP_MAX_EXTENTS of linux/user_namespace.h.
const MOST_MAPS: usize = 340;
