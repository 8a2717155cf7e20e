//! Becoming the program: limits, terminal, user, capabilities, seccomp, exec. The same for `run` and `exec`.

use std::ffi::CString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use kit_plan::os_text::unescape;
use kit_plan::{Context, Done, FdId, Meta, Shell, Side, Step, StepError};
use kit_sys::calls;
use oci_spec::runtime::{LinuxCapabilities, LinuxPersonality, Process};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::caps;
use super::error::fail;
use super::find::{self, NotRunnable};
use super::terminal::TERMINAL;
use super::{attributes, hooks, in_sh, init};
use crate::resolve::ResolvedUser;
use crate::says;
use crate::user::{Files, home_of, wanted};
use kit_seccomp::Filter;

/// The names of the descriptors of the program's standard streams, which the parent makes.
pub const STDIO: [FdId; 3] = [FdId::new("stdin"), FdId::new("stdout"), FdId::new("stderr")];

/// What the child becomes.
pub struct Become {
    pub process: Process,
    pub filter: Option<Filter>,
    /// `USER[:GROUP]`, looked up in the container's own files; `None` for the numbers of config.json.
    pub user: Option<String>,
    pub personality: Option<LinuxPersonality>,
    /// The startContainer hooks, which run inside as the program's user.
    pub hooks: Option<hooks::Run>,
    /// What the script needs besides `process`.
    pub script: in_sh::Script,
    /// Make a working directory that does not exist. As with docker, a run does and an exec does not.
    pub makes_cwd: bool,
}

impl Step for Become {
    fn meta(&self) -> Meta {
        let argv = self.process.args().clone().unwrap_or_default();
        let command = argv.join(" ");
        let says = says::exec(shown(&command));
        let lines = in_sh::lines(
            &self.process,
            self.user.as_deref(),
            self.personality.as_ref(),
            &self.script,
        );
        let shell = if attributes::has_words(&self.process) {
            Shell::Exact(lines)
        } else {
            Shell::None("chrt(1) has no option for these flags of process.scheduler")
        };
        Meta::new("program.exec", says, shell)
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        for limit in self.process.rlimits().iter().flatten() {
            let (soft, hard) = (limit.soft(), limit.hard());
            set_rlimit(&limit.typ().to_string(), soft, hard)?;
        }
        attributes::set(&self.process, self.personality.as_ref())?;
        let user = self.resolve_user()?;
        own_streams(cx, &user)?;
        take_streams(cx)?;
        enter_directory(Path::new(&unescape(self.process.cwd())), self.makes_cwd)?;
        self.give_up(&user)?;
        if let Some(hooks) = &self.hooks {
            hooks.run(rustix::process::getpid().as_raw_pid())?;
        }
        if cx.take::<init::Stays>().is_some() {
            init::stay(|| self.exec(&user))
        } else {
            self.exec(&user)
        }
    }
}

impl Become {
    fn resolve_user(&self) -> Result<ResolvedUser, StepError> {
        let text = wanted(self.user.as_deref(), &self.process);
        // Static, so no NSS; and these are the container's files, whose users we want.
        let mut found = Files::here().resolve(&text)?;
        if self.user.is_none() {
            let numbers = self.process.user();
            found.groups = numbers.additional_gids().clone().unwrap_or_default();
        }
        Ok(found)
    }

    /// Gives up privileges, in the only order that works. With no_new_privileges the filter is loaded last; without it,
    /// loading needs CAP_SYS_ADMIN (seccomp(2)), so it comes before the capabilities are given up, and the filter must allow
    /// the calls that follow.
    fn give_up(&self, user: &ResolvedUser) -> Result<(), StepError> {
        let locked = self.process.no_new_privileges() == Some(true);
        let none = LinuxCapabilities::default();
        let wanted = self.process.capabilities().as_ref().unwrap_or(&none);
        if !locked {
            self.load_filter()?;
        }
        caps::become_user(user.uid, user.gid, &user.groups, wanted)?;
        if locked {
            rustix::thread::set_no_new_privs(true).map_err(fail("setting no_new_privs"))?;
            self.load_filter()?;
        }
        Ok(())
    }

    fn load_filter(&self) -> Result<(), StepError> {
        let load = self.filter.as_ref().map_or(Ok(()), Filter::load);
        load.map_err(StepError::whole)
    }

    fn exec(&self, user: &ResolvedUser) -> Result<Done, StepError> {
        let argv = self.process.args().clone().unwrap_or_default();
        let env = environment(self.process.env().as_deref().unwrap_or_default());
        let name = argv.first().cloned().unwrap_or_default();
        let doing = format!("executing \"{name}\"");
        let path = find::program(unescape(&name), &env).map_err(|why| refuse(&doing, why))?;
        let text = |text: &String| CString::new(unescape(text).into_vec());
        let argv: Result<Vec<CString>, _> = argv.iter().map(text).collect();
        let has_home = env.iter().any(|pair| pair.starts_with("HOME="));
        let home = (!has_home).then(|| CString::new(home_of(user).into_vec()));
        let env: Result<Vec<CString>, _> = env.iter().map(text).chain(home).collect();
        let (argv, env) = (
            argv.map_err(fail(doing.clone()))?,
            env.map_err(fail(doing.clone()))?,
        );
        let file =
            CString::new(path.as_os_str().as_encoded_bytes()).map_err(fail(doing.clone()))?;
        kit_sys::signal::reset_all();
        let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
        let umask = self.process.user().umask().unwrap_or(0o022);
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        calls::note(|| format!("execve({file:?}, {argv:?}, {} variables)", env.len()));
        calls::told_before_exec();
        let Err(errno) = nix::unistd::execve(&file, &argv, &env);
        Err(refuse(
            &doing,
            find::diagnose(&path, Errno::from_raw_os_error(errno as i32)),
        ))
    }
}

/// The variables without an empty HOME, which is as good as none; of one that is given twice the last, as with runc.
fn environment(given: &[String]) -> Vec<String> {
    let name = |pair: &String| pair.split_once('=').map(|(name, _)| name.to_owned());
    let mut env: Vec<String> = Vec::new();
    for pair in given {
        let of = name(pair);
        env.retain(|earlier| of.is_none() || name(earlier) != of);
        env.push(pair.clone());
    }
    env.retain(|pair| pair != "HOME=");
    env
}

fn refuse(doing: &str, why: NotRunnable) -> StepError {
    StepError::new(doing, why.reason)
        .exit(why.exit)
        .hint_from(why.hint)
}

/// The beginning of a command for one line of output: it may be a whole script.
pub(super) fn shown(command: &str) -> String {
    const MOST: usize = 60;
    let mut line: String = command.chars().take(MOST).collect();
    if line.len() < command.len() {
        line.push('…');
    }
    line.replace(char::is_control, " ")
}

/// The names of setrlimit(2), as config.json has them.
const RLIMITS: [(&str, Resource); 16] = [
    ("RLIMIT_AS", Resource::As),
    ("RLIMIT_CORE", Resource::Core),
    ("RLIMIT_CPU", Resource::Cpu),
    ("RLIMIT_DATA", Resource::Data),
    ("RLIMIT_FSIZE", Resource::Fsize),
    ("RLIMIT_LOCKS", Resource::Locks),
    ("RLIMIT_MEMLOCK", Resource::Memlock),
    ("RLIMIT_MSGQUEUE", Resource::Msgqueue),
    ("RLIMIT_NICE", Resource::Nice),
    ("RLIMIT_NOFILE", Resource::Nofile),
    ("RLIMIT_NPROC", Resource::Nproc),
    ("RLIMIT_RSS", Resource::Rss),
    ("RLIMIT_RTPRIO", Resource::Rtprio),
    ("RLIMIT_RTTIME", Resource::Rttime),
    ("RLIMIT_SIGPENDING", Resource::Sigpending),
    ("RLIMIT_STACK", Resource::Stack),
];

fn set_rlimit(name: &str, soft: u64, hard: u64) -> Result<(), StepError> {
    let doing = format!("setting {name} to {soft}:{hard}");
    let known = RLIMITS.iter().find(|(known, _)| *known == name);
    let Some((_, resource)) = known else {
        return Err(StepError::new(doing, "no such limit"));
    };
    let bound = |value| (value != u64::MAX).then_some(value);
    let wanted = Rlimit {
        current: bound(soft),
        maximum: bound(hard),
    };
    rustix::process::setrlimit(*resource, wanted).map_err(|errno| {
        let error = fail(doing)(errno);
        if errno == Errno::PERM {
            return error.hint(if *resource == Resource::Nofile {
                "no hard limit is above /proc/sys/fs/nr_open, and raising it needs CAP_SYS_RESOURCE"
            } else {
                "raising a hard limit needs CAP_SYS_RESOURCE, which we do not have here"
            });
        }
        error
    })
}

/// Gives the pipes and FIFOs to the program's user: a program may open /dev/stderr anew, which checks the owner.
fn own_streams(cx: &Context, user: &ResolvedUser) -> Result<(), StepError> {
    let (uid, gid) = (
        rustix::fs::Uid::from_raw(user.uid),
        rustix::fs::Gid::from_raw(user.gid),
    );
    for name in STDIO
        .into_iter()
        .chain([TERMINAL])
        .filter(|name| cx.has_fd(*name))
    {
        let fd = cx.fd(name)?;
        // FIFOs and the terminal are ours; an inherited file and /dev/null keep their owners.
        let is_ours = rmount::inroot::kind(fd).is_ok_and(|kind| kind == rustix::fs::FileType::Fifo)
            || name == TERMINAL;
        if is_ours {
            let group = if name == TERMINAL { None } else { Some(gid) };
            match rustix::fs::fchown(fd, Some(uid), group) {
                // Inherited, of a user of the host's that a user namespace does not have: as runc does.
                Ok(()) | Err(Errno::PERM | Errno::INVAL) => {}
                Err(errno) => {
                    return Err(fail(format!("giving {name} to user {}", user.uid))(errno));
                }
            }
        }
    }
    Ok(())
}

fn take_streams(cx: &mut Context) -> Result<(), StepError> {
    let doing = "setting up standard streams";
    // Its own session in any case: a signal to the monitor's group is not for it.
    rustix::process::setsid()
        .or_else(|errno| {
            if errno == Errno::PERM {
                Ok(rustix::process::getpid())
            } else {
                Err(errno)
            }
        })
        .map_err(fail(doing))?;
    if cx.has_fd(TERMINAL) {
        let terminal = cx.fd(TERMINAL)?;
        rustix::process::ioctl_tiocsctty(terminal).map_err(fail("taking the terminal"))?;
        return all_three(terminal, terminal, terminal).map_err(fail(doing));
    }
    let [stdin, stdout, stderr] = STDIO.map(|name| cx.fd(name));
    all_three(stdin?, stdout?, stderr?).map_err(fail(doing))
}

fn all_three(stdin: impl AsFd, stdout: impl AsFd, stderr: impl AsFd) -> Result<(), Errno> {
    rustix::stdio::dup2_stdin(stdin)?;
    rustix::stdio::dup2_stdout(stdout)?;
    rustix::stdio::dup2_stderr(stderr)
}

/// Enters the working directory and proves that it is inside: a descriptor of the host's that leaked in here could
/// make `/proc/self/fd/N` a way out.
fn enter_directory(cwd: &Path, make: bool) -> Result<(), StepError> {
    let doing = || format!("entering working directory {cwd:?}");
    if make && !cwd.exists() {
        if let Some(dangling) = rmount::Dangling::on(cwd) {
            return Err(StepError::new(doing(), dangling.to_string()));
        }
        std::fs::create_dir_all(cwd).map_err(fail(doing()))?;
    }
    let code = if make { 125 } else { 126 };
    calls::thread::chdir(cwd).map_err(|errno| fail(doing())(errno).exit(code))?;
    let here = rustix::process::getcwd(Vec::new()).map_err(fail(doing()))?;
    // getcwd(2) says "(unreachable)…" of a directory that is not below the root.
    if here.as_bytes().first() != Some(&b'/') {
        return Err(StepError::new(doing(), "it lies outside the container"));
    }
    Ok(())
}
