//! The monitor itself: a container that it serves, or adopts, and the poll loop until its end.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use kit_plan::{Context, Journal, Mark, ProcessId};
use kit_undo::Kernel;
use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags};

use super::MonitorError;
use super::born::{fault, io_fault};
use super::clients::Client;
use super::idle::{Idle, Waited};
use super::log::Log;
use super::rules::Rules;
use super::sources::{Source, Sources};
use super::streams::{Buffer, Streams};
use box_net as network;
use box_net::relay::Relay;
use box_state::{Container, Containers, Lock, RunState};
use box_wire::Failed;

pub struct Monitor {
    pub(super) containers: Containers,
    pub(super) container: Container,
    pub(super) state: RunState,
    pub(super) journal: Journal,
    pub(super) kernel: Kernel,
    pub(super) clients: Vec<Client>,
    pub(super) log: Log,
    pub(super) streams: Streams,
    pub(super) pidfd: OwnedFd,
    /// The root of a container that stays, so that it is unmounted after the end is reported: an overlay is synced then,
    /// and so is its disk.
    pub(super) root: Option<OwnedFd>,
    /// Whether this process can wait for the container's PID 1. A monitor that took over cannot, and the exit code is lost.
    pub(super) is_parent: bool,
    /// What the steps of the plan have kept: sockets, held ports.
    pub(super) kept: Context,
    pub(super) relay: Relay,
    pub(super) rules: Option<Rules>,
    pub(super) idle: Idle,
    /// The buffer that output is read into; empty while the monitor is idle.
    pub(super) buffer: Buffer,
    pub(super) listener: UnixListener,
    pub(super) lock: Lock,
}

impl Monitor {
    /// Takes over a container whose monitor was killed: its journal, its pipes, the cleaning up at its end. Its exit code is
    /// lost.
    pub fn adopt(containers: Containers, id: &str, lock: Lock) -> Result<Self, Failed> {
        let container = containers.load(id).map_err(|e| fault(&e))?;
        let mut state = containers.state(id).map_err(|e| fault(&e))?;
        let not_running = || fault(&MonitorError::NotRunning { id: id.to_owned() });
        let process = state
            .process
            .clone()
            .filter(ProcessId::is_alive)
            .ok_or_else(not_running)?;
        let path = containers.roots.journals().join(format!("{id}.jsonl"));
        let journal = Journal::open(&path)
            .map_err(|e| fault(&e))?
            .ok_or_else(not_running)?;
        let pid = rustix::process::Pid::from_raw(process.pid).ok_or_else(not_running)?;
        let pidfd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty());
        let pidfd = pidfd.map_err(|_| not_running())?;
        let streams = Streams::reopen(&containers.run_dir(id));
        let listener = listen(&containers, id).map_err(|source| io_fault(LISTENING, source))?;
        state.monitor = ProcessId::of_self().ok();
        containers
            .save_state(id, &state, false)
            .map_err(|e| fault(&e))?;
        let mark = Mark {
            instance: containers.roots.instance.clone(),
            plan: id.to_owned(),
        };
        let log = Log::new(&containers, id);
        let relay = relay_again(&state);
        let rules = Rules::taken_over(&container);
        let mut kept = Context::new(mark);
        kept.keep(network::hold_again(&state.ports));
        Ok(Self {
            root: root_of(&container, process.pid),
            containers,
            container,
            state,
            journal,
            kernel: Kernel::new(),
            clients: Vec::new(),
            log,
            streams,
            pidfd,
            is_parent: false,
            relay,
            rules,
            kept,
            idle: Idle::default(),
            buffer: Buffer::default(),
            listener,
            lock,
        })
    }

    /// The loop. Returns the code to leave with.
    pub fn serve(mut self) -> i32 {
        while !self.turn() {}
        self.finish()
    }

    /// One turn of the loop; returns whether the container has ended.
    fn turn(&mut self) -> bool {
        let (waited, ready) = self.wait();
        if waited == Waited::Quiet {
            self.log.shrink();
            self.buffer = Buffer::default();
            self.streams.calm();
        }
        let mut ended = false;
        let mut relayed = Vec::new();
        for source in ready {
            match source {
                Source::Process => ended = true,
                Source::Door => {
                    if let Ok((socket, _)) = self.listener.accept() {
                        self.clients.push(Client::new(socket));
                    }
                }
                Source::Client(index) => self.hear(index),
                Source::Output(output) => {
                    self.pass_on(output);
                }
                Source::Input => self.streams.flush(),
                Source::Relay(owner) => relayed.push(owner),
                Source::Rules => self
                    .rules
                    .iter_mut()
                    .for_each(|rules| rules.hear(&self.containers.roots)),
            }
        }
        if let Some(rules) = self.rules.as_mut().filter(|_| !ended) {
            rules.mend(&self.containers.roots);
        }
        self.clients.retain(|client| !client.gone);
        self.relay.serve(&relayed, &vec![true; relayed.len()]);
        ended
    }

    fn wait(&mut self) -> (Waited, Vec<Source>) {
        let mut sources = Sources::default();
        if !self.clients.iter().any(Client::is_full) {
            for (output, fd) in self.streams.outputs() {
                sources.add(Source::Output(output), fd, PollFlags::IN);
            }
        }
        if let Some(input) = self.streams.input().filter(|_| self.streams.has_input()) {
            sources.add(Source::Input, input, PollFlags::OUT);
        }
        let held_back = self.streams.is_full();
        for (index, client) in self.clients.iter().enumerate() {
            let wanted = client.wanted(held_back);
            sources.add(Source::Client(index), &client.socket, wanted);
        }
        sources.add_relay(&self.relay);
        if let Some(rules) = &self.rules {
            sources.add(Source::Rules, rules.watch(), PollFlags::IN);
        }
        sources.add(Source::Door, &self.listener, PollFlags::IN);
        sources.add(Source::Process, &self.pidfd, PollFlags::IN);
        let at_most = self.rules.as_ref().and_then(Rules::wait);
        sources.wait(&mut self.idle, at_most)
    }
}

fn relay_again(state: &RunState) -> Relay {
    match state.endpoints.first().and_then(box_state::Attached::ip) {
        Some(std::net::IpAddr::V4(addr)) => Relay::reopen(&state.ports, addr),
        _ => Relay::default(),
    }
}

pub(super) const LISTENING: &str = "listening for the container's clients";

/// The root of a container that stays after its end. The descriptor keeps that mount alone: the volumes and what else is
/// mounted on it go with the last process.
pub(super) fn root_of(container: &Container, pid: i32) -> Option<OwnedFd> {
    if container.auto_remove {
        return None;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty()).ok()
}

pub(super) fn listen(containers: &Containers, id: &str) -> std::io::Result<UnixListener> {
    let _ = std::fs::remove_file(containers.socket(id));
    let dir = std::fs::File::open(containers.run_dir(id))?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    let listener = UnixListener::bind(format!("/proc/self/fd/{fd}/monitor.sock"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
