//! A profile as the compiler reads it: one of config.json, or the default one, whose names are a text of this program.

use std::borrow::Cow;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator as Op, LinuxSyscall,
};

/// Calls of linux/net.h that i386 also makes by socketcall(2), by its first argument.
const SOCKETCALL: Made = &[
    ("socket", 1),
    ("bind", 2),
    ("connect", 3),
    ("listen", 4),
    ("accept", 5),
    ("getsockname", 6),
    ("getpeername", 7),
    ("socketpair", 8),
    ("send", 9),
    ("recv", 10),
    ("sendto", 11),
    ("recvfrom", 12),
    ("shutdown", 13),
    ("setsockopt", 14),
    ("getsockopt", 15),
    ("sendmsg", 16),
    ("recvmsg", 17),
    ("accept4", 18),
    ("recvmmsg", 19),
    ("sendmmsg", 20),
];

/// Calls of linux/ipc.h that i386 also makes by ipc(2), by the low 16 bits of its first argument.
const IPC: Made = &[
    ("semop", 1),
    ("semget", 2),
    ("semctl", 3),
    ("semtimedop", 4),
    ("msgsnd", 11),
    ("msgrcv", 12),
    ("msgget", 13),
    ("msgctl", 14),
    ("shmat", 21),
    ("shmdt", 22),
    ("shmget", 23),
    ("shmctl", 24),
];

/// A call that makes others, the bits of its first argument that say which, and those by their numbers.
type Maker = (&'static str, u64, Made);
type Made = &'static [(&'static str, u64)];

const MAKERS: [Maker; 2] = [
    ("socketcall", 0xffff_ffff, SOCKETCALL),
    ("ipc", 0xffff, IPC),
];

/// What becomes of calls: of those that no rule names, and of the others.
pub struct Rules<'a> {
    pub action: Action,
    pub errno: Option<u32>,
    pub architectures: Cow<'a, [Arch]>,
    pub calls: Vec<Rule<'a>>,
}

/// What becomes of the calls named, if all conditions hold.
pub struct Rule<'a> {
    pub names: Names<'a>,
    pub args: Cow<'a, [LinuxSeccompArg]>,
    pub action: Action,
    pub errno: Option<u32>,
}

pub enum Names<'a> {
    /// With a blank between two.
    Text(&'a str),
    List(&'a [String]),
}

impl Names<'_> {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (text, list): (&str, &[String]) = match self {
            Names::Text(text) => (text, &[]),
            Names::List(list) => ("", list),
        };
        let words = text.split(' ').filter(|word| !word.is_empty());
        words.chain(list.iter().map(String::as_str))
    }
}

impl<'a> Rules<'a> {
    pub fn of(profile: &'a LinuxSeccomp) -> Self {
        let rule = |call: &'a LinuxSyscall| Rule {
            names: Names::List(call.names()),
            args: Cow::Borrowed(call.args().as_deref().unwrap_or_default()),
            action: call.action(),
            errno: call.errno_ret(),
        };
        let mut rules = Self {
            action: profile.default_action(),
            errno: profile.default_errno_ret(),
            architectures: Cow::Borrowed(profile.architectures().as_deref().unwrap_or_default()),
            calls: profile.syscalls().iter().flatten().map(rule).collect(),
        };
        for (maker, mask, made) in MAKERS {
            rules.also_by(maker, mask, made);
        }
        rules
    }

    /// What holds of a call holds of it by `maker`, too, as with libseccomp, unless the profile says itself what becomes of
    /// that one. Conditions do not: there the call's arguments are in memory.
    fn also_by(&mut self, maker: &'static str, mask: u64, made: Made) {
        let names_it = |rule: &Rule<'_>| rule.names.iter().any(|name| name == maker);
        if self.calls.iter().any(names_it) {
            return;
        }
        let mut more = Vec::new();
        for rule in self.calls.iter().filter(|rule| rule.args.is_empty()) {
            let of = |name: &str| made.iter().find(|(each, _)| *each == name);
            for (_, number) in rule.names.iter().filter_map(of) {
                let arg = LinuxSeccompArgBuilder::default()
                    .op(Op::ScmpCmpMaskedEq)
                    .value(mask)
                    .value_two(*number)
                    .build()
                    .expect("every field of the builder has a default");
                more.push(Rule {
                    names: Names::Text(maker),
                    args: Cow::Owned(vec![arg]),
                    action: rule.action,
                    errno: rule.errno,
                });
            }
        }
        self.calls.append(&mut more);
    }

    /// As config.json has it.
    pub fn written_out(&self) -> LinuxSeccomp {
        let call = |rule: &Rule| {
            let mut call = LinuxSyscall::default();
            call.set_names(rule.names.iter().map(str::to_owned).collect());
            call.set_action(rule.action);
            call.set_errno_ret(rule.errno);
            if !rule.args.is_empty() {
                call.set_args(Some(rule.args.to_vec()));
            }
            call
        };
        let mut profile = LinuxSeccomp::default();
        profile.set_default_action(self.action);
        profile.set_default_errno_ret(self.errno);
        profile.set_architectures(Some(self.architectures.to_vec()));
        profile.set_syscalls(Some(self.calls.iter().map(call).collect()));
        profile
    }
}
