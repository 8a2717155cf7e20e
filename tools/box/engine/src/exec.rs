//! `rrun exec`: a program in the namespaces and cgroups of a running container.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use kit_plan::{Context, Done, Mark, Step, StepError};
use oci_spec::runtime::Process;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces,
};

use super::error::fail;
use super::in_sh;
use super::process::{Become, STDIO};
use super::terminal::{TERMINAL, open_master, receive, send, slave_of};
use kit_seccomp::Filter;

/// What to run, as config.json's `process` has it, and where.
pub struct Exec {
    /// PID 1 of the container.
    pub pid: i32,
    pub process: Process,
    pub filter: Option<Filter>,
    /// As given to `-u`.
    pub user: String,
    /// v1 `tasks` files of the container's cgroups, or a v2 `cgroup.procs`, from [`super::cgroup::join_files`].
    pub cgroups: Vec<PathBuf>,
    pub tty: bool,
    /// Nobody waits for it: it reads and writes /dev/null, or a terminal that nobody looks at.
    pub detach: bool,
    pub size: Option<(u16, u16)>,
}

/// The started program, and the caller's ends of its standard streams.
pub struct Running {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub stdin: Option<OwnedFd>,
    pub stdout: Option<OwnedFd>,
    pub stderr: Option<OwnedFd>,
    /// The terminal's master, in place of the three.
    pub terminal: Option<OwnedFd>,
    /// To the process that waits for the program of a terminal.
    waiter: Option<OwnedFd>,
}

impl Running {
    /// Leaves its terminal to the process that waits for the program: without a master it would be hung up.
    pub fn leave(&self, master: Option<&OwnedFd>) -> Result<(), StepError> {
        match (&self.waiter, master) {
            (Some(waiter), Some(master)) => {
                send(waiter.as_fd(), master).map_err(fail("leaving the terminal"))
            }
            _ => Ok(()),
        }
    }
}

/// Starts it. Two processes are cloned: one that enters the namespaces, since whoever does stays there, and its
/// child, the program, since a PID namespace is entered by children only (setns(2)). The first one waits and
/// leaves with the second's code.
pub fn start(exec: &Exec) -> Result<Running, StepError> {
    let doing = "entering the container";
    let target =
        Pid::from_raw(exec.pid).ok_or_else(|| StepError::new(doing, "it has no process"))?;
    let pidfd = pidfd_open(target, PidfdFlags::empty()).map_err(fail(doing))?;
    let root = File::open(format!("/proc/{}/root", exec.pid)).map_err(fail(doing))?;
    let cgroup_ns = File::open(format!("/proc/{}/ns/cgroup", exec.pid)).map_err(fail(doing))?;
    let cgroups: Result<Vec<File>, _> = exec
        .cgroups
        .iter()
        .map(|path| File::options().write(true).open(path))
        .collect();
    let cgroups = cgroups.map_err(fail("opening the container's cgroups"))?;
    let pipes = Pipes::make(exec.tty, exec.detach)?;
    let (said, say) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail(doing))?;
    let cloned = kit_sys::clone::clone_into(0, None, || {
        // Before anything of the container's can see this process.
        let _ = nix::sys::prctl::set_dumpable(false);
        let entered = enter(&pidfd, &root, &cgroup_ns, &cgroups);
        let outcome = entered.and_then(|()| become_program(exec, &pipes));
        match outcome {
            Ok(code) => code,
            Err(error) => tell(&say, &error),
        }
    })
    .map_err(fail(doing))?;
    drop(say);
    let ours = pipes.ours;
    drop(pipes.theirs);
    if let Some(error) = heard(said)? {
        return Err(error);
    }
    let terminal = match &ours.waiter {
        Some(socket) => receive(socket.as_fd()).map_err(fail("receiving the terminal"))?,
        None => None,
    };
    let running = Running {
        pid: cloned.pid,
        pidfd: cloned.pidfd,
        stdin: ours.stdin,
        stdout: ours.stdout,
        stderr: ours.stderr,
        terminal,
        waiter: ours.waiter,
    };
    if exec.detach {
        running.leave(running.terminal.as_ref())?;
    }
    Ok(running)
}

fn enter(
    pidfd: &OwnedFd,
    root: &File,
    cgroup_ns: &File,
    cgroups: &[File],
) -> Result<(), StepError> {
    let doing = "entering the container";
    for mut file in cgroups {
        // "0" is the writer itself; joining oneself spares the kernel's slow way of moving another.
        std::io::Write::write_all(&mut file, b"0")
            .map_err(fail("joining the container's cgroup"))?;
    }
    super::cgroup::any_cpu();
    move_into_link_name_space(cgroup_ns.as_fd(), Some(LinkNameSpaceType::ControlGroup))
        .map_err(fail(doing))?;
    let spaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::PROCESS_ID;
    move_into_thread_name_spaces(pidfd.as_fd(), spaces).map_err(fail(doing))?;
    // The mount namespace's root is where we are now; the container's PID 1 may have another.
    rustix::process::fchdir(root).map_err(fail(doing))?;
    rustix::process::chroot(".").map_err(fail(doing))?;
    rustix::process::chdir("/").map_err(fail(doing))
}

/// Clones the program, waits for it, and returns its code.
fn become_program(exec: &Exec, pipes: &Pipes) -> Result<i32, StepError> {
    let (said, say) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail("making a pipe"))?;
    let cloned = kit_sys::clone::clone_into(0, None, || {
        let mut cx = Context::new(Mark {
            instance: kit_plan::Roots::at("/".into(), "/".into()).instance,
            plan: String::new(),
        });
        match run_steps(exec, pipes, &mut cx, &say) {
            Ok(_) => 0,
            Err(error) => tell(&say, &error),
        }
    });
    let cloned = cloned.map_err(fail("cloning the program's process"))?;
    drop(say);
    if let Some(error) = heard(said)? {
        return Err(error);
    }
    // The streams are the program's now; holding them would keep their other ends from ending.
    let mut keep = vec![cloned.pidfd.as_fd()];
    let terminal = pipes.theirs.first().filter(|_| exec.tty);
    keep.extend(terminal.map(AsFd::as_fd));
    if let Some(null) = &pipes.null {
        outlive(null).map_err(fail("leaving the caller"))?;
    }
    kit_sys::fds::close_all_but(&keep);
    if let Some(socket) = terminal {
        hold(&cloned.pidfd, socket);
    }
    let status = rustix::process::waitpid(
        Pid::from_raw(cloned.pid),
        rustix::process::WaitOptions::empty(),
    );
    let status = status.ok().flatten().map(|(_, status)| status);
    Ok(status.map_or(255, |status| {
        match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => code,
            (None, Some(signal)) => 128 + signal,
            _ => 255,
        }
    }))
}

/// The caller may go before the program does: its terminal and its streams are not ours then.
fn outlive(null: &OwnedFd) -> Result<(), Errno> {
    rustix::process::setsid()?;
    rustix::stdio::dup2_stdin(null)?;
    rustix::stdio::dup2_stdout(null)?;
    rustix::stdio::dup2_stderr(null)
}

/// Until the program ends: takes the terminal's master if the caller leaves it here, and what comes out of it, lest
/// the program waits for a reader.
fn hold(program: &OwnedFd, socket: &OwnedFd) {
    let mut master = None;
    let mut buffer = [0u8; 4096];
    loop {
        let fd = master.as_ref().unwrap_or(socket);
        let mut fds = [
            PollFd::new(program, PollFlags::IN),
            PollFd::new(fd, PollFlags::IN),
        ];
        let waited = poll(&mut fds, None);
        let [ended, ready] = fds.map(|fd| !fd.revents().is_empty());
        if ended || !matches!(waited, Ok(_) | Err(Errno::INTR)) {
            return;
        }
        if !ready {
            continue;
        }
        let more = match &master {
            Some(master) => rustix::io::read(master, &mut buffer).map(|n| n > 0),
            None => receive(socket.as_fd()).map(|got| {
                master = got;
                master.is_some()
            }),
        };
        if !matches!(more, Ok(true) | Err(Errno::INTR | Errno::AGAIN)) {
            // The caller has gone with it, or nobody has the terminal open: the master stays open till the end.
            let _ = poll(&mut [PollFd::new(program, PollFlags::IN)], None);
            return;
        }
    }
}

fn run_steps(
    exec: &Exec,
    pipes: &Pipes,
    cx: &mut Context,
    say: &OwnedFd,
) -> Result<Done, StepError> {
    let mut keep = vec![say.as_fd()];
    keep.extend(pipes.theirs.iter().map(AsFd::as_fd));
    kit_sys::fds::close_all_but(&keep);
    if exec.tty {
        let slave = open_terminal(exec.size, &pipes.theirs[0])?;
        cx.put_fd(TERMINAL, slave);
    } else {
        for (name, fd) in STDIO.into_iter().zip(&pipes.theirs) {
            cx.put_fd(
                name,
                fd.try_clone()
                    .map_err(fail("taking the standard streams"))?,
            );
        }
    }
    let program = Become {
        process: exec.process.clone(),
        filter: exec.filter.clone(),
        user: exec.user.clone(),
        script: in_sh::Script::default(),
        makes_cwd: false,
    };
    program.apply(cx)
}

fn open_terminal(size: Option<(u16, u16)>, socket: &OwnedFd) -> Result<OwnedFd, StepError> {
    use rustix::fs::{Mode, OFlags};
    let doing = "opening a terminal";
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open("/", flags, Mode::empty()).map_err(fail(doing))?;
    let master = open_master(root.as_fd()).map_err(fail(doing))?;
    let slave = slave_of(&master, size).map_err(fail(doing))?;
    send(socket.as_fd(), &master).map_err(fail("handing the terminal out"))?;
    Ok(slave)
}

/// Both sides of the standard streams.
struct Pipes {
    ours: Ours,
    theirs: Vec<OwnedFd>,
    /// The host's /dev/null, for a program that may outlive its caller.
    null: Option<OwnedFd>,
}

struct Ours {
    stdin: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    /// Where the terminal's master comes from, and goes to when it is left.
    waiter: Option<OwnedFd>,
}

impl Pipes {
    fn make(tty: bool, detach: bool) -> Result<Self, StepError> {
        let doing = "making the standard streams";
        let mut ours = Ours {
            stdin: None,
            stdout: None,
            stderr: None,
            waiter: None,
        };
        if tty || detach {
            let null = File::options().read(true).write(true).open("/dev/null");
            let null = OwnedFd::from(null.map_err(fail("opening /dev/null"))?);
            let mut theirs = Vec::new();
            if tty {
                let (to_them, to_us) =
                    std::os::unix::net::UnixStream::pair().map_err(fail(doing))?;
                ours.waiter = Some(to_them.into());
                theirs.push(to_us.into());
            } else {
                for _ in STDIO {
                    theirs.push(null.try_clone().map_err(fail(doing))?);
                }
            }
            return Ok(Self {
                ours,
                theirs,
                null: Some(null),
            });
        }
        let pipe =
            || rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail(doing));
        let ((stdin_r, stdin_w), (stdout_r, stdout_w), (stderr_r, stderr_w)) =
            (pipe()?, pipe()?, pipe()?);
        ours.stdin = Some(stdin_w);
        ours.stdout = Some(stdout_r);
        ours.stderr = Some(stderr_r);
        Ok(Self {
            ours,
            theirs: vec![stdin_r, stdout_w, stderr_w],
            null: None,
        })
    }
}

/// Tells why it failed; the code to leave with.
pub(super) fn tell(say: &OwnedFd, error: &StepError) -> i32 {
    let line = format!(
        "{}\n{}\n{error}",
        error.exit_code(),
        error.get_hint().unwrap_or_default()
    );
    let _ = rustix::io::write(say, line.as_bytes());
    1
}

/// What a child told, until the program has replaced it, which closes the pipe.
pub(super) fn heard(said: OwnedFd) -> Result<Option<StepError>, StepError> {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut File::from(said), &mut text)
        .map_err(fail("hearing from the child"))?;
    let mut parts = text.splitn(3, '\n');
    let (Some(exit), Some(hint), Some(reason)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let error = StepError::whole(reason.to_owned()).exit(exit.parse().unwrap_or(1));
    Ok(Some(if hint.is_empty() {
        error
    } else {
        error.hint(hint)
    }))
}
