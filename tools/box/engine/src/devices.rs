//! Which devices a container may open: the rules of config.json's `linux.resources.devices`, then the ones that every
//! runtime adds. They are set on the container's own cgroup, on v1 by its files, on v2 by a BPF program (`program`). The
//! shared parent would do for all containers, but takes no rule on v1 while it has children (EINVAL), so two first runs at
//! once would race. See Documentation/admin-guide/cgroup-v1/devices.rst, cgroup-v2.rst.

mod program;

use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use crate::says;
use kit_plan::{Context, Done, Line, Meta, Shell, Step, StepError, Value, words};
use kit_sys::bpf::{attach_device_program, load_device_program};
use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType, Spec};
use rcgroup::{Hierarchies, Mode};
use rustix::io::Errno;

use crate::EngineError;

/// One rule, as `devices.allow` and `devices.deny` take them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub allow: bool,
    pub kind: Kind,
    /// `None` for any.
    pub major: Option<u32>,
    pub minor: Option<u32>,
    /// Of `r`, `w`, `m`.
    pub access: String,
}

/// Which devices a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    All,
    Character,
    Block,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::All => 'a',
            Kind::Character => 'c',
            Kind::Block => 'b',
        };
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
        let (major, minor) = (number(self.major), number(self.minor));
        write!(f, "{kind} {major}:{minor} {}", self.access)
    }
}

/// What runc and crun add to any bundle's rules (libcontainer/specconv, `AllowedDevices`): nodes may be made of anything;
/// opened may be null, zero, full, random, urandom, tty, console, ptmx, pts.
const ALWAYS: [(char, Option<u32>, Option<u32>, &str); 11] = [
    ('c', None, None, "m"),
    ('b', None, None, "m"),
    ('c', Some(1), Some(3), "rwm"),
    ('c', Some(1), Some(5), "rwm"),
    ('c', Some(1), Some(7), "rwm"),
    ('c', Some(1), Some(8), "rwm"),
    ('c', Some(1), Some(9), "rwm"),
    ('c', Some(5), Some(0), "rwm"),
    ('c', Some(5), Some(1), "rwm"),
    ('c', Some(5), Some(2), "rwm"),
    ('c', Some(136), None, "rwm"),
];

fn always() -> impl Iterator<Item = Rule> {
    ALWAYS.into_iter().map(|(kind, major, minor, access)| Rule {
        allow: true,
        kind: if kind == 'c' {
            Kind::Character
        } else {
            Kind::Block
        },
        major,
        minor,
        access: access.to_owned(),
    })
}

impl Rule {
    fn of(given: &LinuxDeviceCgroup) -> Result<Self, EngineError> {
        let wrong = |what: &str, reason: String| {
            EngineError::invalid(format!("linux.resources.devices.{what}"), reason)
        };
        let kind = match given.typ() {
            None | Some(LinuxDeviceType::A) => Kind::All,
            Some(LinuxDeviceType::C | LinuxDeviceType::U) => Kind::Character,
            Some(LinuxDeviceType::B) => Kind::Block,
            Some(LinuxDeviceType::P) => {
                return Err(wrong("type", "a FIFO is no device".to_owned()));
            }
        };
        // Absent and -1 are any.
        let number = |what, number: Option<i64>| match number {
            None | Some(-1) => Ok(None),
            Some(number) => match u32::try_from(number) {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(wrong(what, format!("{number} is no number of a device"))),
            },
        };
        let access = given.access().clone().filter(|access| !access.is_empty());
        let access = access.unwrap_or_else(|| "rwm".to_owned());
        if !access.bytes().all(|letter| b"rwm".contains(&letter)) {
            return Err(wrong(
                "access",
                format!("{access:?} has more than r, w and m"),
            ));
        }
        Ok(Self {
            allow: given.allow(),
            kind,
            major: number("major", given.major())?,
            minor: number("minor", given.minor())?,
            access,
        })
    }

    fn is_about_all(&self) -> bool {
        let wide = self.major.is_none() && self.minor.is_none();
        let full = "rwm".chars().all(|letter| self.access.contains(letter));
        self.kind == Kind::All && wide && full
    }
}

/// The rules of a configuration in their order, after the last one that is about all devices; `None` if all devices are
/// allowed. Without a rule only the devices of [`ALWAYS`] are, as with runc.
pub(crate) fn rules_of(spec: &Spec) -> Result<Option<Vec<Rule>>, EngineError> {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.resources().as_ref()?.devices().as_ref());
    let mut rules = Vec::new();
    let mut everything = false;
    for rule in given.into_iter().flatten() {
        let rule = Rule::of(rule)?;
        if rule.is_about_all() {
            everything = rule.allow;
            rules.clear();
        } else {
            rules.push(rule);
        }
    }
    if everything {
        if rules.iter().all(|rule| rule.allow) {
            return Ok(None);
        }
        return Err(EngineError::unsupported(
            "linux.resources.devices",
            "it allows all devices except those listed; deny rules after \"allow all\" are not carried out",
        ));
    }
    rules.extend(always());
    Ok(Some(rules))
}

/// The text of `devices.list` while no rule is set.
const EVERYTHING: &str = "a *:* rwm";

/// The step that sets the rules for cgroup `name`; none where all devices are allowed, or where no hierarchy of the host has
/// the devices controller.
pub(crate) fn step(
    host: &Hierarchies,
    name: &str,
    spec: &Spec,
) -> Result<Option<Box<dyn Step>>, EngineError> {
    let Some(rules) = rules_of(spec)? else {
        return Ok(None);
    };
    if let (Mode::V2, Some(root)) = (host.mode, &host.v2) {
        let dir = root.join(name);
        return Ok(Some(Box::new(Attach { dir, rules })));
    }
    let dir = host.v1.get("devices").map(|root| root.join(name));
    Ok(dir.map(|dir| Box::new(Restrict { dir, rules }) as Box<dyn Step>))
}

/// [`Restrict`] in sh: `$1` is the cgroup's directory, the other words are the rules.
const RESTRICT: &str = r#"cd "$1"; shift
[ "$(cat devices.list)" = "a *:* rwm" ] || exit 0
echo a >devices.deny
for rule; do
  case $rule in -*) printf '%s\n' "${rule#-}" >devices.deny ;; *) printf '%s\n' "$rule" >devices.allow ;; esac || exit
done"#;

/// Sets the rules on v1, unless the cgroup has inherited some, which could only be narrowed. They end with the cgroup.
struct Restrict {
    dir: PathBuf,
    rules: Vec<Rule>,
}

impl Step for Restrict {
    fn meta(&self) -> Meta {
        let mut words = words!["sh", "-c", RESTRICT, "sh", &self.dir];
        let sign = |rule: &Rule| if rule.allow { "" } else { "-" };
        let rules = self.rules.iter();
        words.extend(rules.map(|rule| Value::from(format!("{}{rule}", sign(rule)))));
        Meta::new(
            "cgroup.devices",
            says::devices(),
            Shell::Exact(vec![Line::Run(words)]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let list = rcgroup::read(&self.dir.join("devices.list"))?;
        if list != EVERYTHING {
            return Ok(Done::nothing());
        }
        rcgroup::write(&self.dir.join("devices.deny"), "a")?;
        for rule in &self.rules {
            let file = if rule.allow {
                "devices.allow"
            } else {
                "devices.deny"
            };
            rcgroup::write(&self.dir.join(file), &rule.to_string())?;
        }
        Ok(Done::nothing())
    }
}

/// Sets the rules on v2, by a BPF program. The kernel asks all attached programs and each can only deny, so those of others
/// need no look. It ends with the cgroup.
struct Attach {
    dir: PathBuf,
    rules: Vec<Rule>,
}

impl Step for Attach {
    fn meta(&self) -> Meta {
        Meta::new(
            "cgroup.devices",
            says::devices(),
            Shell::None(
                "a program for bpf(2) has no form in sh: on cgroup v2 any device can be opened",
            ),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        attach(&self.dir, &self.rules)
    }
}

/// Attaches the rules to the cgroup v2 in `dir`. Without them any disk of the host's could be opened: a kernel or
/// a sandbox that refuses bpf(2) is an error, as it is docker's.
fn attach(dir: &Path, rules: &[Rule]) -> Result<Done, StepError> {
    let doing = || format!("setting the device rules of cgroup {dir:?}");
    let refused = |errno: Errno| {
        let error = StepError::new(doing(), errno);
        match errno {
            Errno::PERM | Errno::NOSYS | Errno::INVAL => error.hint(
                "cgroup v2 takes them by bpf(2), which this kernel or sandbox refuses; --privileged runs without",
            ),
            _ => error,
        }
    };
    let opened = std::fs::File::open(dir).map_err(|e| StepError::new(doing(), e))?;
    let program = program::compile(rules);
    let loaded = load_device_program(&program).map_err(refused)?;
    attach_device_program(opened.as_fd(), loaded.as_fd()).map_err(refused)?;
    Ok(Done::nothing().note(
        format!("{} instructions", program.len()),
        format!("{} 条指令", program.len()),
    ))
}

/// Whether bpf(2) loads the program of the device rules that cgroup v2 needs. It is loaded and attached to nothing.
pub fn can_load() -> bool {
    let rules: Vec<Rule> = always().collect();
    load_device_program(&program::compile(&rules)).is_ok()
}

#[cfg(test)]
mod tests;
