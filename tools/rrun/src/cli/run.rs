//! `rrun run` and `rrun create`.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use kit_cli::{Failure, Result, emit};

use super::flags::Create;
use super::prepare::{Ready, prepare};
use super::{fault, told};
use crate::client::{self, Attach, DetachKeys, Ended};
use crate::monitor::wire::{Go, Request};
use crate::monitor::{self};
use crate::state::{Container, Containers};

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
    let ready = prepare(&args.create, containers)?;
    if args.create.act.dry_run {
        return print_script(containers, ready);
    }
    publish(&args.create, containers, &ready, true)?;
    emit(&format!("{}\n", ready.container.id))?;
    Ok(0)
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let flags = &args.create;
    check_streams(args)?;
    if flags.tty
        && flags.interactive
        && !args.detach
        && !flags.act.dry_run
        && !io::IsTerminal::is_terminal(&io::stdin())
    {
        return Err(Failure::new("the input device is not a TTY")
            .hint("leave out -t when input comes from a pipe")
            .exit(125)
            .into());
    }
    let bare = if flags.rootfs.is_some() {
        Some(containers.bare())
    } else {
        None
    };
    let containers = bare.as_ref().unwrap_or(containers);
    if flags.act.dry_run {
        return print_script(containers, prepare(flags, containers)?);
    }
    if let Some(bare) = &bare {
        bare.roots.prepare().map_err(Failure::from)?;
    }
    // Early: what this process has in memory by then, the monitor keeps.
    let mut fresh = monitor::fork(containers)?;
    let ready = prepare(flags, containers)?;
    publish(flags, containers, &ready, args.detach)?;
    let go = Go {
        id: ready.container.id.clone(),
        attach: !args.detach,
        explain: flags.act.explain,
        trace: flags.act.trace,
        size: if flags.tty { client::size() } else { None },
    };
    Request::Go(go).write(&mut fresh.socket)?;
    let ended = follow(&mut fresh.socket, containers, &ready.container, args)?;
    finish(ended, &ready.container)
}

/// The exit code of an ended run.
pub fn finish(ended: Option<Ended>, container: &Container) -> Result {
    match ended {
        None | Some(Ended::Detached) => Ok(0),
        Some(Ended::Exited(code)) => Ok(code as u8),
        Some(Ended::Failed(failed)) => Err(told(failed).into()),
        Some(Ended::Lost) => Err(Failure::new(format!(
            "following container \"{}\": its monitor is gone",
            container.name
        ))
        .hint("rrun ps -a shows whether it runs; rrun attach takes it up again")
        .exit(125)
        .into()),
    }
}

fn follow(
    socket: &mut UnixStream,
    containers: &Containers,
    container: &Container,
    args: &Args,
) -> Result<Option<Ended>> {
    if let Some(ended) = client::wait_started(socket)? {
        return Ok(Some(ended));
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
        detach_keys: detach_keys(args.detach_keys.as_deref())?,
        forward: if args.sig_proxy {
            containers
                .state(&container.id)
                .ok()
                .and_then(|state| state.process)
        } else {
            None
        },
    };
    Ok(Some(client::relay(socket, &mut attach)?))
}

pub fn detach_keys(text: Option<&str>) -> Result<DetachKeys> {
    let Some(text) = text else {
        return Ok(DetachKeys::default());
    };
    DetachKeys::parse(text).ok_or_else(|| {
        Failure::usage(format!("invalid detach keys: \"{text}\""))
            .hint("like ctrl-p,ctrl-q, or one letter")
            .exit(125)
            .into()
    })
}

/// A container in the background lives as long as its program: one that reads a terminal has none, and ends.
fn hint_on_instant_exit(containers: &Containers, container: &Container) {
    if container.auto_remove {
        return;
    }
    let ended = containers
        .state(&container.id)
        .is_ok_and(|state| state.status == crate::state::Status::Exited);
    if ended {
        let hint = "hint: its program has ended already, and a container ends with its program; see rrun logs\n";
        let _ = io::stderr().write_all(hint.as_bytes());
    }
}

fn check_streams(args: &Args) -> Result<()> {
    if args.detach && !args.attach.is_empty() {
        return Err(Failure::usage("Conflicting options: -a and -d")
            .exit(125)
            .into());
    }
    if args.detach && args.create.rm && args.create.act.dry_run {
        return Ok(());
    }
    for stream in &args.attach {
        if !["stdin", "stdout", "stderr"].contains(&stream.to_ascii_lowercase().as_str()) {
            return Err(Failure::usage(format!(
                "invalid argument \"{stream}\" for -a: valid streams are STDIN, STDOUT and STDERR"
            ))
            .exit(125)
            .into());
        }
    }
    Ok(())
}

/// Publishes the container's files, pins its image, writes the cidfile. What fails takes the rest back.
fn publish(flags: &Create, containers: &Containers, ready: &Ready, sync: bool) -> Result<()> {
    if let Some(path) = &flags.cidfile {
        claim_cidfile(path, &ready.container.id)?;
    }
    let pinned = pin(containers, &ready.container);
    let published = pinned.and_then(|()| {
        let sync = sync && !ready.container.auto_remove;
        Ok(containers
            .publish(&ready.container, &ready.spec, sync)
            .map_err(|e| fault(e).exit(125))?)
    });
    if published.is_err() {
        super::rm::release(containers, &ready.container, true);
        if let Some(path) = &flags.cidfile {
            let _ = std::fs::remove_file(path);
        }
    }
    published
}

fn pin(containers: &Containers, container: &Container) -> Result<()> {
    let Some(image) = &container.image else {
        return Ok(());
    };
    let store = runpack::Store::open(&containers.roots.root);
    let id: runpack::ImageId = image.id.parse().map_err(|e| Failure::new(&e).exit(125))?;
    store
        .pin(&id, &container.id)
        .map_err(|e| Failure::new(&e).exit(125))?;
    Ok(())
}

fn claim_cidfile(path: &Path, id: &str) -> Result<()> {
    let doing = format!("writing --cidfile {path:?}");
    let mut file = std::fs::File::create_new(path).map_err(|e| {
        let failure = Failure::new(format!("{doing}: {e}")).exit(125);
        if e.kind() == io::ErrorKind::AlreadyExists {
            return failure.hint("remove it, or the container it names, first");
        }
        failure
    })?;
    Ok(file.write_all(id.as_bytes())?)
}

fn print_script(containers: &Containers, ready: Ready) -> Result {
    let plan = monitor::plan(containers, &ready.container, ready.spec).map_err(told)?;
    emit(&plan.script().map_err(Failure::from)?)?;
    Ok(0)
}
