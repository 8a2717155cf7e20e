//! What config.json's `process` says of scheduling: CPU (sched(7)), disk (ioprio_set(2)), and `linux.personality`
//! (personality(2)). Set while the process may still raise its own priority.

use kit_plan::{StepError, Value, words};
use kit_sys::process::{SchedAttr, set_io_priority, set_personality, set_scheduler};
use oci_spec::runtime::{
    IOPriorityClass, LinuxIOPriority, LinuxPersonality, LinuxPersonalityDomain,
    LinuxSchedulerFlag as Flag, LinuxSchedulerPolicy as Policy, Process, Scheduler,
};

use super::error::fail;

/// `PER_LINUX32` of linux/personality.h.
const PER_LINUX32: u32 = 0x0008;

/// A flag of the scheduler as the specification spells it, and its bit, SCHED_FLAG_* of linux/sched.h.
pub(crate) fn flag(flag: Flag) -> (&'static str, u64) {
    match flag {
        Flag::SchedResetOnFork => ("SCHED_FLAG_RESET_ON_FORK", 0x01),
        Flag::SchedFlagReclaim => ("SCHED_FLAG_RECLAIM", 0x02),
        Flag::SchedFlagDLOverrun => ("SCHED_FLAG_DL_OVERRUN", 0x04),
        Flag::SchedFlagKeepPolicy => ("SCHED_FLAG_KEEP_POLICY", 0x08),
        Flag::SchedFlagKeepParams => ("SCHED_FLAG_KEEP_PARAMS", 0x10),
        Flag::SchedFlagUtilClampMin => ("SCHED_FLAG_UTIL_CLAMP_MIN", 0x20),
        Flag::SchedFlagUtilClampMax => ("SCHED_FLAG_UTIL_CLAMP_MAX", 0x40),
    }
}

/// Sets these attributes of the calling process.
pub fn set(process: &Process, personality: Option<&LinuxPersonality>) -> Result<(), StepError> {
    if let Some(scheduler) = process.scheduler() {
        set_scheduler(attr(scheduler)).map_err(|errno| {
            let error = fail(format!("scheduling it as {}", scheduler.policy()))(errno);
            error.hint("sched_setattr(2) says which values go together; a real-time policy needs CAP_SYS_NICE")
        })?;
    }
    if let Some(io) = process.io_priority() {
        let (class, level) = io_numbers(io);
        let doing = format!("setting I/O priority {} {}", io.class(), io.priority());
        set_io_priority(class, level).map_err(fail(doing))?;
    }
    if let Some(personality) = personality {
        let persona = match personality.domain() {
            LinuxPersonalityDomain::PerLinux => 0,
            LinuxPersonalityDomain::PerLinux32 => PER_LINUX32,
        };
        set_personality(persona).map_err(fail("setting the personality"))?;
    }
    Ok(())
}

fn attr(scheduler: &Scheduler) -> SchedAttr {
    let policy = match scheduler.policy() {
        Policy::SchedOther => 0,
        Policy::SchedFifo => 1,
        Policy::SchedRr => 2,
        Policy::SchedBatch => 3,
        Policy::SchedIso => 4,
        Policy::SchedIdle => 5,
        Policy::SchedDeadline => 6,
    };
    let given = scheduler.flags().iter().flatten().copied();
    SchedAttr {
        policy,
        flags: given.fold(0, |all, given| all | flag(given).1),
        nice: scheduler.nice().unwrap_or(0),
        priority: scheduler
            .priority()
            .and_then(|priority| u32::try_from(priority).ok())
            .unwrap_or(0),
        runtime: scheduler.runtime().unwrap_or(0),
        deadline: scheduler.deadline().unwrap_or(0),
        period: scheduler.period().unwrap_or(0),
        ..SchedAttr::default()
    }
}

fn io_numbers(io: &LinuxIOPriority) -> (u16, u16) {
    let class = match io.class() {
        IOPriorityClass::IoprioClassRt => 1,
        IOPriorityClass::IoprioClassBe => 2,
        IOPriorityClass::IoprioClassIdle => 3,
    };
    (class, u16::try_from(io.priority()).unwrap_or(u16::MAX))
}

fn is_reset_on_fork(flag: Flag) -> bool {
    flag == Flag::SchedResetOnFork
}

/// Whether chrt(1) has options for all that `process` says.
pub fn has_words(process: &Process) -> bool {
    let scheduler = process.scheduler().iter();
    let flags = scheduler.flat_map(|scheduler| scheduler.flags().iter().flatten());
    flags.copied().all(is_reset_on_fork)
}

/// The attributes as words of ionice(1), chrt(1) and setarch(8) to put before a command.
pub fn through(process: &Process, personality: Option<&LinuxPersonality>) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    if let Some(scheduler) = process.scheduler() {
        let policy = scheduler.policy().to_string().to_lowercase();
        let policy = format!("--{}", policy.trim_start_matches("sched_"));
        all.extend(words!["chrt", policy]);
        if scheduler
            .flags()
            .iter()
            .flatten()
            .copied()
            .any(is_reset_on_fork)
        {
            all.push("--reset-on-fork".into());
        }
        for (option, time) in [
            ("--sched-runtime", scheduler.runtime()),
            ("--sched-deadline", scheduler.deadline()),
            ("--sched-period", scheduler.period()),
        ] {
            if let Some(time) = time {
                all.extend(words![option, time.to_string()]);
            }
        }
        all.push(scheduler.priority().unwrap_or(0).to_string().into());
        if let Some(nice) = scheduler.nice().filter(|nice| *nice != 0) {
            all.extend(words!["nice", "-n", nice.to_string()]);
        }
    }
    if let Some(io) = process.io_priority() {
        let (class, level) = io_numbers(io);
        all.extend(words!["ionice", "-c", class.to_string()]);
        if class != 3 {
            all.extend(words!["-n", level.to_string()]);
        }
    }
    if personality.is_some_and(|persona| persona.domain() == LinuxPersonalityDomain::PerLinux32) {
        all.extend(words!["setarch", "linux32"]);
    }
    all
}
