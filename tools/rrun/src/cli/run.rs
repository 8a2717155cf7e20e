//! `rrun run` and `rrun create`.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::{Duration, Instant};

use kit_cli::{Failure, Result, emit};
use kit_plan::os_text::unescape;
use kit_plan::{Context, Mark, Plan, Roots, Vars};

use super::flags::Create;
use super::prepare::{Ready, is_name_drawn, prepare};
use super::{steps, talking, told};
use crate::client::{self, Attach, DetachKeys, Ended};
use box_monitor as monitor;
use box_ops::create::{self as creation, Lasting, New};
use box_ops::start::{Outcome, likely, wait_started};
use box_state::{Container, Containers, StateError};
use box_wire::{self as wire, Request};

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct Args {
    /// In the background; print the container's ID
    #[arg(short, long)]
    pub detach: bool,
    /// Attach only to these: stdin, stdout, stderr
    #[arg(short, long, value_name = "STREAM")]
    pub attach: Vec<String>,
    /// Keys that leave the container running: ctrl-p,ctrl-q
    #[arg(long)]
    pub detach_keys: Option<String>,
    /// Pass signals on to the container
    #[arg(long, default_value = "true", action = clap::ArgAction::Set)]
    pub sig_proxy: bool,
    #[command(flatten)]
    pub create: Create,
}

#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub struct CreateArgs {
    #[command(flatten)]
    pub create: Create,
}

pub fn create(args: &CreateArgs, containers: &Containers) -> Result {
    let flags = &args.create;
    flags.neutral.check("create")?;
    let containers = &kind(flags, containers, Go::Later);
    let ready = prepare(flags, containers)?;
    if flags.act.dry_run {
        let (plan, new) = making(flags, containers, ready, Go::Later);
        flags.act.emit_script(&plan, &vars(&new))?;
        return Ok(0);
    }
    containers.roots.prepare()?;
    // As in docker: 125 only for flags that cannot be read, 1 for the rest.
    let made = make(flags, containers, ready, Go::Later).map_err(|failure| failure.exactly(1));
    let (new, _at_work) = made?;
    emit(&format!("{}\n", new.container.id))?;
    Ok(0)
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let flags = &args.create;
    flags.neutral.check("run")?;
    check_streams(args)?;
    let keys = detach_keys(args.detach_keys.as_deref())?;
    if flags.tty
        && flags.interactive
        && !args.detach
        && !flags.act.dry_run
        && !io::IsTerminal::is_terminal(&io::stdin())
    {
        return Err(Failure::new("the input device is not a TTY")
            .hint("leave out -t when input comes from a pipe")
            .exactly(1));
    }
    let detach = args.detach;
    let containers = &kind(flags, containers, Go::Now { detach });
    if flags.act.dry_run {
        return print_script(args, containers, prepare(flags, containers)?);
    }
    let mut fresh = monitor::fork(containers, likely(!is_shared(flags.network())))?;
    let ready = prepare(flags, containers)?;
    let (new, _at_work) = make(flags, containers, ready, Go::Now { detach })?;
    let go = wire::Go {
        id: new.container.id.clone(),
        attach: !args.detach,
        explain: flags.act.explain,
        trace: flags.act.trace,
        size: if flags.tty { client::size() } else { None },
        older: false,
    };
    Request::Go(go).write(&mut fresh.socket).map_err(talking)?;
    let ended = follow(&mut fresh.socket, containers, &new.container, (args, keys))?;
    if matches!(ended, Some(Ended::Escaped)) {
        // The container goes on, so its ID is printed as with -d; on a new line, since the cursor is behind its prompt.
        let new_line = if kit_cli::is_terminal() { "\n" } else { "" };
        emit(&format!("{new_line}{}\n", new.container.id))?;
    }
    finish(ended, &new.container)
}

/// Forks the monitor of a run before the flags are parsed: parsing takes as long as making the network namespace, which
/// the monitor does meanwhile. A monitor that turns out not to be wanted sees the end of its socket and exits.
pub fn ahead(argv: &[OsString]) {
    let others = ["--dry-run", "--help"];
    let is = |word: &OsString, other: &str| {
        word.to_str()
            .is_some_and(|word| word.split('=').next() == Some(other))
    };
    let [_, verb, words @ ..] = argv else {
        return;
    };
    if verb != "run"
        || words
            .iter()
            .any(|word| others.iter().any(|other| is(word, other)))
    {
        return;
    }
    let shared = |word: &OsString| {
        let word = word.to_string_lossy();
        is_shared(word.rsplit('=').next().unwrap_or_default())
    };
    if rustix::process::geteuid().is_root()
        && let Ok(roots) = Roots::from_env()
    {
        monitor::fork_ahead(&Containers::new(roots), likely(!words.iter().any(shared)));
    }
}

/// Whether `--network` names a network namespace that exists already.
fn is_shared(network: &str) -> bool {
    network == "host" || network.starts_with("container:") || network.starts_with("ns:")
}

/// The client ends, and the container does not.
fn still_runs(why: &str, container: &Container) -> Failure {
    let name = &container.name;
    Failure::new(format!("{why}, and container \"{name}\" still runs"))
        .hint(format!(
            "rrun stop {name} ends it, rrun logs {name} shows what it says; its log grows without a bound meanwhile"
        ))
}

/// The exit code of an ended run.
pub fn finish(ended: Option<Ended>, container: &Container) -> Result {
    match ended {
        None | Some(Ended::Detached | Ended::Escaped) => Ok(0),
        // docker's client only says "broken pipe". The container goes on and its log can fill a disk, so it is named.
        Some(Ended::Unread) => {
            let why = "writing to standard output: its reader has gone";
            Err(still_runs(why, container).exactly(1))
        }
        Some(Ended::Unwritten(why)) => Err(still_runs(&why, container).exit(125)),
        Some(Ended::Signalled(signal)) => Ok(128 + signal as u8),
        Some(Ended::Forced) => Err(Failure::new("got 3 SIGTERM/SIGINTs, forcefully exiting")
            .hint(format!("rrun kill {} ends the container", container.name))
            .exactly(1)),
        Some(Ended::Exited(code)) => Ok(code as u8),
        Some(Ended::Failed(failed)) => Err(told(failed)),
        Some(Ended::Lost) => Err(Failure::new(format!(
            "following container \"{}\": its monitor has ended",
            container.name
        ))
        .hint("rrun ps -a shows whether it runs; rrun attach takes it up again")
        .exit(125)),
    }
}

fn follow(
    socket: &mut UnixStream,
    containers: &Containers,
    container: &Container,
    (args, detach_keys): (&Args, DetachKeys),
) -> Result<Option<Ended>> {
    let watch = steps::watching(args.create.act, &steps::vars(containers, &container.id));
    match wait_started(socket, watch).map_err(Failure::new)? {
        Outcome::Started => kit_cli::explained(),
        Outcome::Failed(failed) => {
            // As docker: the container exists although it did not start.
            if args.detach {
                emit(&format!("{}\n", container.id))?;
            }
            return Ok(Some(Ended::Failed(failed)));
        }
        Outcome::Lost => return Ok(Some(Ended::Lost)),
    }
    if args.detach {
        emit(&format!("{}\n", container.id))?;
        hint_on_instant_exit(containers, container);
        return Ok(None);
    }
    let all = args.attach.is_empty();
    let wants = |stream: &str| {
        all || args
            .attach
            .iter()
            .any(|name| name.eq_ignore_ascii_case(stream))
    };
    let mut attach = Attach {
        stdin: container.open_stdin && wants("stdin"),
        stdout: wants("stdout"),
        stderr: wants("stderr"),
        tty: container.tty,
        detach_keys,
        forward: if args.sig_proxy {
            containers
                .state(&container.id)
                .ok()
                .and_then(|state| state.process)
        } else {
            None
        },
    };
    client::relay(socket, &mut attach)
        .map(Some)
        .map_err(Failure::new)
}

pub fn detach_keys(text: Option<&str>) -> Result<DetachKeys> {
    // As docker: an empty text is the default.
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(DetachKeys::default());
    };
    DetachKeys::parse(text).ok_or_else(|| {
        Failure::usage(format!("invalid detach keys: \"{text}\""))
            .hint("like ctrl-p,ctrl-q, or one letter")
            .exit(125)
    })
}

/// Programs that end at once if they have neither a command nor input.
const SHELLS: [&str; 7] = ["sh", "ash", "bash", "dash", "zsh", "python", "python3"];

/// How long to wait for such a program to end.
const SHELL_ENDS: Duration = Duration::from_millis(500);

/// Says that a container in the background has ended at once, as one does whose program reads a terminal and has none.
fn hint_on_instant_exit(containers: &Containers, container: &Container) {
    let name = &container.name;
    let program = container.path.rsplit('/').next().unwrap_or_default();
    let reads = !container.open_stdin && container.args.is_empty() && SHELLS.contains(&program);
    // A shell needs a moment to find that it has no input; other programs are not waited for.
    let deadline = Instant::now() + if reads { SHELL_ENDS } else { Duration::ZERO };
    let code = loop {
        match containers.state(&container.id) {
            Ok(state) if state.status == box_state::Status::Exited => break state.exit_code,
            // A --rm container is removed as it ends.
            Err(_) if reads => break 0,
            _ if Instant::now() >= deadline => return,
            _ => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let hint = match &container.image {
        Some(image) if reads && code == 0 => format!(
            "hint: container \"{name}\" has ended already: without -i \"{program}\" has no input to read; rrun run -dit {} {program} keeps it\n",
            image.name
        ),
        _ => format!(
            "hint: container \"{name}\" has ended already, with exit code {code}: see rrun logs {name}\n"
        ),
    };
    let _ = io::stderr().write_all(hint.as_bytes());
}

fn check_streams(args: &Args) -> Result<()> {
    if args.detach && !args.attach.is_empty() {
        return Err(Failure::usage("Conflicting options: -a and -d"));
    }
    for stream in &args.attach {
        if !["stdin", "stdout", "stderr"].contains(&stream.to_ascii_lowercase().as_str()) {
            return Err(Failure::usage(format!(
                "invalid argument \"{stream}\" for -a: valid streams are STDIN, STDOUT and STDERR"
            )));
        }
    }
    Ok(())
}

/// When the container that is made will be started.
#[derive(Clone, Copy)]
enum Go {
    Later,
    Now { detach: bool },
}

/// Transient is what a reboot ends for good: a container of `--rm` that runs at once, and one of `--rootfs`. One of `create
/// --rm` may wait through a reboot for its start.
fn kind(flags: &Create, containers: &Containers, go: Go) -> Containers {
    let brief = flags.rm && matches!(go, Go::Now { .. });
    if brief || flags.rootfs.is_some() {
        containers.transient()
    } else {
        containers.clone()
    }
}

/// The plan that makes the container, and what it makes.
fn making(flags: &Create, containers: &Containers, mut ready: Ready, go: Go) -> (Plan, Rc<New>) {
    let detached = matches!(go, Go::Now { detach: true });
    ready.container.asked.detached = detached;
    ready.container.stdin_once &= !detached;
    let (sync, starting) = match go {
        Go::Later => (true, false),
        Go::Now { detach } => (detach && !ready.container.auto_remove, true),
    };
    let new = Rc::new(New {
        containers: containers.clone(),
        container: ready.container,
        spec: ready.spec,
        sync,
        starting,
    });
    let mut plan = Plan::new(format!("rrun create --name {}", new.container.name));
    // As docker: an empty one is none.
    let cidfile = flags.cidfile.as_ref().filter(|file| !file.is_empty());
    let cidfile = cidfile.map(|file| unescape(file).into());
    creation::push(&mut plan, &new, cidfile, ready.before);
    (plan, new)
}

fn vars(new: &New) -> Vars {
    steps::vars(&new.containers, &new.container.id)
}

/// How many names to draw before giving up.
const DRAWS: u32 = 16;

/// Makes the container. The locks in the context are to be held until it runs. If another command has taken
/// the drawn name since, another name is drawn.
fn make(
    flags: &Create,
    containers: &Containers,
    mut ready: Ready,
    go: Go,
) -> Result<(Rc<New>, Context)> {
    let mut draws = 1;
    loop {
        let (plan, new) = making(flags, containers, ready, go);
        let mark = Mark {
            instance: new.containers.roots.instance.clone(),
            plan: new.container.id.clone(),
        };
        match steps::apply(flags.act, &plan, mark, vars(&new)) {
            Err(error) if draws < DRAWS && is_name_drawn(flags) && is_taken(&error) => {
                draws += 1;
                ready = prepare(flags, containers)?;
            }
            made => return made.map(|context| (new, context)),
        }
    }
}

/// Whether another container had the name. That one may be gone by now: what the error says counts.
fn is_taken(error: &Failure) -> bool {
    matches!(error.fault(), Some(StateError::NameTaken { .. }))
}

/// Prints the script that makes the container and runs it. With --rm the script removes all of it at its end, and
/// with -d it prints the ID and goes on in the background.
fn print_script(args: &Args, containers: &Containers, ready: Ready) -> Result {
    let flags = &args.create;
    let (container, spec) = (ready.container.clone(), ready.spec.clone());
    let running = monitor::plan(containers, &container, spec).map_err(told)?;
    let (made, new) = making(flags, containers, ready, Go::Now { detach: false });
    let mut plan = Plan::new(running.command.clone());
    for step in made.into_steps() {
        plan.push_boxed(if flags.rm {
            step
        } else {
            Box::new(Lasting(step))
        });
    }
    plan.extend(running);
    let printed = args.detach.then_some(container.id.as_str());
    flags.act.emit_script_in(&plan, &vars(&new), printed)?;
    Ok(0)
}
