//! `rcgroup set`: limits of a cgroup that exists.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, run};

use kit_units::CpuList;

use crate::says;
use crate::{CgroupError, Group, Hierarchies, Limits, Mode, Setting, grow, read, settings, write};

/// What `set` does.
pub fn plan(host: &Hierarchies, name: &str, limits: &Limits) -> Result<Plan, CgroupError> {
    let group = host.existing(name)?;
    let mut plan = Plan::new(format!("rcgroup set {name}"));
    let mut settings = settings_of(host, &group, limits)?;
    total_first(&group, &mut settings);
    let grown = grow::grow(host, &group, &settings);
    for step in grown.before {
        plan.push_boxed(step);
    }
    for setting in settings {
        let own = group.dir(setting.controller);
        let Some(dir) = own.or_else(|| grown.group.dir(setting.controller)) else {
            continue;
        };
        plan.push(SetLimit {
            path: dir.join(&*setting.file),
            setting,
            fresh: own.is_none(),
        });
    }
    for step in grown.after {
        plan.push_boxed(step);
    }
    Ok(plan)
}

/// What was not named keeps its limit: with memory alone, memory and swap together. Swap alone is reckoned from the
/// memory that the group has.
fn settings_of(
    host: &Hierarchies,
    group: &Group,
    limits: &Limits,
) -> Result<Vec<Setting>, CgroupError> {
    let swap_alone =
        limits.memory_bytes.is_none() && limits.memory_swap_bytes.is_some_and(|total| total > 0);
    let Some(dir) = group.dir("memory").filter(|_| swap_alone) else {
        let mut settings = settings(host, limits)?;
        if limits.memory_swap_bytes.is_none() {
            settings.retain(|setting| setting.limit != "memory_swap");
            fits_total(group, limits)?;
        }
        return Ok(settings);
    };
    let file = if host.mode == Mode::V2 {
        MEMORY_MAX
    } else {
        MEMORY
    };
    let now = read(&dir.join(file))?.parse().ok();
    let with_memory = Limits {
        // "max" on v2, the largest page on v1.
        memory_bytes: now.filter(|bytes| *bytes < NO_LIMIT),
        ..limits.clone()
    };
    let mut settings = settings(host, &with_memory)?;
    settings.retain(|setting| setting.file != file);
    Ok(settings)
}

/// v1 takes no more memory than the group's memory and swap together.
fn fits_total(group: &Group, limits: &Limits) -> Result<(), CgroupError> {
    let total = group.dir("memory").map(|dir| dir.join(TOTAL));
    let total = total.and_then(|path| read(&path).ok()?.parse::<u64>().ok());
    match (limits.memory_bytes, total) {
        (Some(memory), Some(total)) if memory > total && total < NO_LIMIT => {
            Err(CgroupError::AboveTotal {
                name: group.name.clone(),
                memory: (memory != crate::UNLIMITED).then_some(memory),
                total,
            })
        }
        _ => Ok(()),
    }
}

/// v1 says "no limit" by its largest page.
const NO_LIMIT: u64 = i64::MAX as u64 / PAGE * PAGE;
const PAGE: u64 = 4096;
const MEMORY_MAX: &str = "memory.max";
const MEMORY: &str = "memory.limit_in_bytes";
const TOTAL: &str = "memory.memsw.limit_in_bytes";

/// v1: raising memory above the total of memory and swap as it is now is EINVAL, so that one goes up first.
fn total_first(group: &Group, settings: &mut [Setting]) {
    let at = |file| settings.iter().position(|setting| setting.file == file);
    let (Some(memory), Some(total)) = (at(MEMORY), at(TOTAL)) else {
        return;
    };
    let dir = group.dir("memory").unwrap_or(Path::new("/"));
    let now = read(&dir.join(TOTAL))
        .ok()
        .and_then(|text| text.parse().ok());
    // "-1" is no number, and more than any.
    let wanted = settings[memory].text.parse().unwrap_or(u64::MAX);
    if memory < total && now.is_some_and(|now: u64| wanted > now) {
        settings.swap(memory, total);
    }
}

/// One kernel file.
pub(crate) struct SetLimit {
    pub path: PathBuf,
    pub setting: Setting,
    /// The group is new and goes as a whole.
    pub fresh: bool,
}

/// What a limit does, with its bytes in the unit that people count in.
fn means(setting: &Setting) -> String {
    let does = match setting.limit {
        "memory" => "beyond it the kernel takes pages back, and kills if there are none",
        "memory_swap" => "no more of them is written to the disk",
        "memory_reservation" => "what is left alone while there is enough",
        "pids" => "fork(2) fails beyond it",
        "cpus" => "a process that used it up waits for the next period",
        _ => return setting.formula.to_owned(),
    };
    match in_units(setting) {
        Some(size) => format!("{} ({size}): {does}", setting.formula),
        None => format!("{}: {does}", setting.formula),
    }
}

fn means_zh(setting: &Setting) -> String {
    let what = match setting.formula {
        "memory, in bytes" => "内存字节数：超过时内核先回收，收不回就杀进程",
        "memory and swap together" => "内存与交换空间之和：超过的部分不再写到磁盘",
        "memory-swap minus memory" => "交换空间 = 总和减去内存：超过的部分不再写到磁盘",
        "memory reservation" => "内存保留量：内存充足时不回收",
        "a period of 100 ms" => "一个周期 100 毫秒",
        "CPUs times the period" => "配额 = CPU 数 × 周期：用完后等下个周期",
        "CPUs times a period of 100 ms" => "CPU 数 × 100 毫秒的周期：用完后等下个周期",
        "shares as they are" => "CPU 份额，原样写入",
        "shares * 100 / 1024: the ratio stays" => "份额 × 100 ÷ 1024：比例不变",
        "block I/O weight, for the bfq scheduler" => "块设备 I/O 权重，用于 bfq 调度器",
        "CPUs, as a list" => "可用的 CPU 列表",
        "memory nodes, as a list" => "可用的内存节点列表",
        "processes and threads" => "进程和线程数：超过时 fork(2) 失败",
        _ => "内核按它限制",
    };
    in_units(setting).map_or_else(|| what.to_owned(), |size| format!("{size}，{what}"))
}

/// `64 MiB`, where a limit of bytes is a round number of those.
fn in_units(setting: &Setting) -> Option<String> {
    let bytes: u64 = setting.text.parse().ok()?;
    if !setting.limit.starts_with("memory") {
        return None;
    }
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let round = units
        .iter()
        .find(|(shift, _)| bytes > 0 && bytes.trailing_zeros() >= *shift);
    round.map(|(shift, unit)| format!("{} {unit}", bytes >> shift))
}

impl Step for SetLimit {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: (&self.path).into(),
            text: (&self.setting.text).into(),
        };
        let line = if self.setting.optional && !self.path.exists() {
            // The group may be one that the script makes.
            let script = "[ ! -e \"$1\" ] || printf '%s\\n' \"$2\" >\"$1\"";
            run!["sh", "-c", script, "sh", &self.path, &self.setting.text]
        } else {
            line
        };
        Meta::new(
            "cgroup.limit",
            says::limit(
                &self.setting.file,
                &self.setting.text,
                means(&self.setting),
                means_zh(&self.setting),
            ),
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // On a new group it goes with its directory; on one that exists the old value goes back.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        if self.setting.optional && !self.path.exists() {
            return Ok(Done::nothing().note(
                format!("this kernel has no {}", self.setting.file),
                format!("这个内核没有 {}", self.setting.file),
            ));
        }
        if !self.setting.alone {
            write(&self.path, &self.setting.text)?;
            return Ok(Done::nothing());
        }
        let was = read(&self.path)?;
        write(&self.path, &self.setting.text).map_err(|error| beyond_parent(self, error))?;
        let now = read(&self.path)?;
        if !took(&self.setting, &now) {
            let (path, wanted) = (self.path.clone(), self.setting.text.clone());
            // Nobody else knows what it was; that the kernel takes it back is not certain, and not our error.
            let _ = write(&path, &was);
            return Err(CgroupError::NoEffect {
                path,
                wanted,
                kept: now,
            }
            .into());
        }
        if self.fresh {
            return Ok(Done::nothing());
        }
        Ok(Done::made(vec![Undo::Restore {
            path: self.path.clone(),
            was,
            wrote: now,
            done: true,
            netns: None,
        }]))
    }
}

/// v1 answers "Permission denied" to CPUs that the group above does not have (cpuset(7)).
fn beyond_parent(step: &SetLimit, error: CgroupError) -> CgroupError {
    let above = step.path.parent().and_then(Path::parent);
    let parents = above.and_then(|above| read(&above.join(&*step.setting.file)).ok());
    let lists = (
        step.setting.text.parse::<CpuList>(),
        parents.as_deref().unwrap_or_default().parse::<CpuList>(),
    );
    match lists {
        (Ok(wanted), Ok(parents)) if step.setting.controller == "cpuset" && !parents.is_empty() => {
            if wanted.is_within(&parents) {
                return error;
            }
            // The root of a v1 hierarchy has the machine's list, and alone has this file; that of v2 has no list.
            let is_root = above.is_some_and(|above| above.join("release_agent").exists());
            CgroupError::BeyondParent {
                above: above.filter(|_| !is_root).map(Path::to_owned),
                path: step.path.clone(),
                wanted: step.setting.text.clone(),
                parents: parents.to_string(),
            }
        }
        _ => error,
    }
}

/// Whether the file says what was written, allowing for what the kernel does to numbers: pages, "-1", "max"; and to
/// lists: "0,1" reads back as "0-1".
fn took(setting: &Setting, now: &str) -> bool {
    let wrote = setting.text.as_str();
    match (wrote.parse::<u64>(), now.parse::<u64>()) {
        (Ok(wrote), Ok(now)) => wrote == now || (wrote >= PAGE && now == wrote / PAGE * PAGE),
        // No limit reads back as the largest number.
        (Err(_), Ok(_)) => wrote == "-1",
        _ if now == wrote => true,
        _ if setting.controller == "cpuset" => {
            let read = |text: &str| text.parse::<CpuList>().ok();
            read(wrote).is_some_and(|wrote| Some(wrote) == read(now))
        }
        _ => now == format!("default {wrote}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn took(controller: &'static str, wrote: &str, now: &str) -> bool {
        let setting = Setting {
            limit: "",
            controller,
            file: "".into(),
            text: wrote.to_owned(),
            formula: "",
            optional: false,
            alone: true,
        };
        super::took(&setting, now)
    }

    #[test]
    fn what_the_kernel_rounds_is_believed() {
        assert!(
            took("memory", "4097", "4096")
                && took("memory", "-1", "9223372036854771712")
                && took("memory", "max", "max")
                && took("pids", "7", "7")
        );
        assert!(!took("memory", "8192", "4096") && !took("pids", "7", "8"));
    }

    #[test]
    fn a_list_is_its_numbers() {
        for (wrote, now) in [("0,1", "0-1"), ("3, 0-1,1-2", "0-3"), ("7", "7")] {
            assert!(took("cpuset", wrote, now), "{wrote}");
        }
        for (wrote, now) in [("0,1", "0"), ("0", "0-1"), ("1", ""), ("x", "y")] {
            assert!(!took("cpuset", wrote, now), "{wrote}");
        }
    }

    #[test]
    fn swap_alone_counts_the_memory_that_there_is() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("g")).unwrap();
        let host = Hierarchies {
            v1: std::collections::BTreeMap::new(),
            v2: Some(root.path().to_owned()),
            mode: Mode::V2,
        };
        let limits = Limits {
            memory_swap_bytes: Some(300 << 20),
            ..Limits::default()
        };
        let set = |memory: &str| -> Result<Vec<(String, String)>, CgroupError> {
            std::fs::write(root.path().join("g/memory.max"), memory).unwrap();
            let settings = settings_of(&host, &host.existing("g").unwrap(), &limits)?;
            let pair = |setting: Setting| (setting.file.into_owned(), setting.text);
            Ok(settings.into_iter().map(pair).collect())
        };
        let swap = ("memory.swap.max".to_owned(), (200 << 20).to_string());
        assert_eq!(set("104857600\n").unwrap(), [swap]);
        assert!(matches!(
            set("max\n"),
            Err(CgroupError::BadValue { reason, .. }) if reason.starts_with("memory has no limit")
        ));
    }
}
