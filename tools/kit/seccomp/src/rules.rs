//! A profile as the compiler reads it: one of config.json, or the default one, whose names are a text of this program.

use std::borrow::Cow;

use oci_spec::runtime::{
    Arch, LinuxSeccomp, LinuxSeccompAction as Action, LinuxSeccompArg, LinuxSyscall,
};

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
        Self {
            action: profile.default_action(),
            errno: profile.default_errno_ret(),
            architectures: Cow::Borrowed(profile.architectures().as_deref().unwrap_or_default()),
            calls: profile.syscalls().iter().flatten().map(rule).collect(),
        }
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
