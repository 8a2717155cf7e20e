//! Values of `process`.

use std::collections::HashSet;

use oci_spec::runtime::{
    LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy, PosixRlimitType, Process,
    Scheduler, User,
};

use super::Checked;
use crate::resolve::{MAX_ID, NO_ID};
use crate::{EngineError, attributes};

pub fn check(process: &Process) -> Checked {
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
    environment(process)?;
    limits(process)?;
    user(process.user())?;
    capabilities(process)?;
    scheduler(process)
}

/// Each entry of the environment has a name: a program would find no variable in one that has none.
fn environment(process: &Process) -> Checked {
    let is_pair = |entry: &&String| !matches!(entry.find('='), None | Some(0));
    match process.env().iter().flatten().find(|entry| !is_pair(entry)) {
        Some(entry) => {
            let reason = format!("{entry:?} is not NAME=VALUE");
            Err(EngineError::invalid("process.env", reason))
        }
        None => Ok(()),
    }
}

fn limits(process: &Process) -> Checked {
    let invalid = |field: &str, reason: String| Err(EngineError::invalid(field, reason));
    let mut seen = HashSet::new();
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ();
        if !seen.insert(name.to_string()) {
            return invalid("process.rlimits", format!("{name} is there twice"));
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
    Ok(())
}

fn user(user: &User) -> Checked {
    let invalid = |field: &str, reason: String| {
        Err(EngineError::invalid(
            format!("process.user.{field}"),
            reason,
        ))
    };
    for (field, id) in [("uid", user.uid()), ("gid", user.gid())] {
        if id > MAX_ID {
            return invalid(field, format!("{id} is not between 0 and {MAX_ID}"));
        }
    }
    let groups = user.additional_gids().as_deref().unwrap_or_default();
    // NGROUPS_MAX of linux/limits.h.
    if groups.len() > 65_536 {
        let reason = format!("{} groups, and the kernel takes 65536", groups.len());
        return invalid("additionalGids", reason);
    }
    if groups.contains(&NO_ID) {
        return invalid("additionalGids", format!("{NO_ID} is no group's number"));
    }
    match user.umask().filter(|umask| *umask > 0o777) {
        Some(umask) => invalid("umask", format!("{umask} is above 511, which is 0777")),
        None => Ok(()),
    }
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
    priority(scheduler)?;
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

/// What sched_setattr(2) says of it: from 1 to 99 for a real-time policy, 0 for another. With SCHED_FLAG_KEEP_POLICY or
/// SCHED_FLAG_KEEP_PARAMS it is not only these values that count.
fn priority(scheduler: &Scheduler) -> Checked {
    let mut flags = scheduler.flags().iter().flatten();
    let (policy, priority) = (scheduler.policy(), scheduler.priority().unwrap_or(0));
    let keeps =
        flags.any(|flag| matches!(flag, Flag::SchedFlagKeepPolicy | Flag::SchedFlagKeepParams));
    let (lowest, highest) = match policy {
        Policy::SchedIso => {
            let reason = "SCHED_ISO is reserved, and no kernel has it";
            return Err(EngineError::unsupported("process.scheduler.policy", reason));
        }
        _ if keeps => (0, 99),
        Policy::SchedFifo | Policy::SchedRr => (1, 99),
        _ => (0, 0),
    };
    let reason = match priority {
        _ if (lowest..=highest).contains(&priority) => return Ok(()),
        _ if highest == 0 => format!("{priority} is not 0, and {policy} has no other"),
        _ => format!("{priority} is not between {lowest} and {highest}"),
    };
    Err(EngineError::invalid("process.scheduler.priority", reason))
}
