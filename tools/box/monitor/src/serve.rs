//! The monitor itself: starting or adopting a container, and the poll loop until its end.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use kit_plan::{Context, Header, Journal, Mark, Observer, ProcessId};
use kit_undo::Kernel;
use rustix::event::PollFlags;
use rustix::fs::{Mode, OFlags};

use super::MonitorError;
use super::born::{fault, io_fault};
use super::clients::Client;
use super::idle::{Idle, Waited};
use super::log::Log;
use super::output::Tell;
use super::prepare;
use super::rules::Rules;
use super::sources::{Source, Sources};
use super::streams::{Buffer, Streams};
use box_engine as engine;
use box_net as network;
use box_net::relay::Relay;
use box_state::{Container, Containers, Lock, RunState, Status, now};
use box_wire::{Event, Failed, Go};

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
    rules: Option<Rules>,
    idle: Idle,
    /// The buffer that output is read into; empty while the monitor is idle.
    pub(super) buffer: Buffer,
    pub(super) listener: UnixListener,
    pub(super) lock: Lock,
}

/// What the steps have kept, what undoes them, and with what.
type Applied = (Context, Journal, Kernel);

impl Monitor {
    /// Starts the container that `go` names. On a failure all is undone, and the client gets the reason.
    pub fn start(
        containers: Containers,
        go: &Go,
        mut client: Client,
        watch: Option<Box<dyn Observer>>,
    ) -> Result<Self, (Client, Failed)> {
        match Self::try_start(containers, go, &mut client, watch) {
            Ok(mut monitor) => {
                if !monitor.state.ports.is_empty() {
                    for line in network::warnings(&mut monitor.kept, &monitor.containers.roots) {
                        client.send(&Event::Step(line));
                    }
                }
                client.send(&Event::Started);
                monitor.clients.push(client);
                Ok(monitor)
            }
            Err(failed) => Err((client, failed)),
        }
    }

    fn try_start(
        containers: Containers,
        go: &Go,
        client: &mut Client,
        watch: Option<Box<dyn Observer>>,
    ) -> Result<Self, Failed> {
        let state_error = |e: box_state::StateError| fault(&e);
        let lock = Lock::take_idle(&containers, &go.id, GLANCE).map_err(|error| {
            let failed = state_error(error);
            // A run directory that cannot be made: a new container is nobody else's.
            let new = containers
                .state(&go.id)
                .is_ok_and(|state| state.status == Status::Created);
            if let (true, Ok(container)) = (new, containers.load(&go.id)) {
                super::end::never_started(&containers, &container, &failed);
            }
            failed
        })?;
        let lock = lock.ok_or_else(|| Failed {
            text: format!(
                "starting container \"{}\": it is running, or being started or removed",
                go.id
            ),
            hint: Some("rrun ps -a shows its state".to_owned()),
            exit: 125,
        })?;
        let container = containers.load(&go.id).map_err(state_error)?;
        super::recover::last_run(&containers, &go.id)?;
        let rules = Rules::of(&container);
        let started = Self::apply(
            &containers,
            &container,
            &mut Tell::new(client, go, &containers.roots, watch),
            go.size,
        );
        match started {
            Ok(applied) => Self::running(containers, container, lock, rules, applied),
            Err(failed) => {
                super::end::never_started(&containers, &container, &failed);
                Err(failed)
            }
        }
    }

    fn apply(
        containers: &Containers,
        container: &Container,
        watch: &mut Tell<'_>,
        size: Option<(u16, u16)>,
    ) -> Result<Applied, Failed> {
        let run_dir = containers.make_run_dir(&container.id);
        run_dir.map_err(|e| fault(&e))?;
        let mark = Mark {
            instance: containers.roots.instance.clone(),
            plan: container.id.clone(),
        };
        let mut cx = Context::new(mark.clone());
        let plan = prepare::for_run(containers, container, size, &mut cx)?;
        let header = Header::new(&mark, plan.command.clone())
            .map_err(|source| io_fault("naming this process in a journal", source))?;
        let header = Header {
            container: Some(container.id.clone()),
            ..header
        };
        let journal = Journal::create(&containers.roots.journals(), header);
        let mut journal = journal.map_err(|e| fault(&e))?;
        let kernel = Kernel::new();
        let applied = plan.apply(&mut cx, &mut journal, &kernel, watch);
        match applied {
            Ok(()) => Ok((cx, journal, kernel)),
            Err(error) => {
                let failed = fault(&error);
                if journal.is_undone() {
                    let _ = journal.discard();
                }
                Err(failed)
            }
        }
    }

    fn running(
        containers: Containers,
        container: Container,
        lock: Lock,
        rules: Option<Rules>,
        (mut cx, journal, kernel): Applied,
    ) -> Result<Self, Failed> {
        let streams = Streams::take(&mut cx);
        let pid = cx.slot(engine::PID).map_err(MonitorError::Step);
        let pid: i32 = pid.map_err(|e| fault(&e))?;
        let pidfd = cx.take_fd(engine::PIDFD).ok_or_else(|| {
            let source = std::io::ErrorKind::NotFound.into();
            io_fault("taking the descriptor of the container's process", source)
        })?;
        let earlier = containers.state(&container.id).unwrap_or_default();
        let mut state = RunState {
            status: Status::Running,
            // The end of a program that has ended already is seen by its pidfd.
            process: ProcessId::of(pid).ok().or_else(|| process_of(&journal)),
            monitor: ProcessId::of_self().ok(),
            started_at: now(),
            restarts: earlier.restarts,
            ..RunState::default()
        };
        prepare::note(&mut state, &mut cx);
        let listener =
            listen(&containers, &container.id).map_err(|source| io_fault(LISTENING, source))?;
        let saved = containers.save_state(&container.id, &state, !container.auto_remove);
        saved.map_err(|e| fault(&e))?;
        let log = Log::new(&containers, &container.id);
        Ok(Self {
            root: root_of(&container, pid),
            containers,
            container,
            state,
            journal,
            kernel,
            clients: Vec::new(),
            log,
            streams,
            pidfd,
            is_parent: true,
            relay: cx.take().unwrap_or_default(),
            rules,
            kept: cx,
            idle: Idle::default(),
            buffer: Buffer::default(),
            listener,
            lock,
        })
    }

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

/// The container's process as the journal recorded it at its clone; for one that has ended since.
fn process_of(journal: &Journal) -> Option<ProcessId> {
    journal
        .records()
        .iter()
        .find_map(|record| match &record.undo {
            kit_plan::Undo::Kill { process } => process.clone(),
            _ => None,
        })
}

fn relay_again(state: &RunState) -> Relay {
    match state.endpoints.first().and_then(box_state::Attached::ip) {
        Some(std::net::IpAddr::V4(addr)) => Relay::reopen(&state.ports, addr),
        _ => Relay::default(),
    }
}

/// More than others take to look whether a container's lock is free, on a busy machine.
const GLANCE: Duration = Duration::from_secs(1);
const LISTENING: &str = "listening for the container's clients";

/// The root of a container that stays after its end. The descriptor keeps that mount alone: the volumes and what else is
/// mounted on it go with the last process.
fn root_of(container: &Container, pid: i32) -> Option<OwnedFd> {
    if container.auto_remove {
        return None;
    }
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(format!("/proc/{pid}/root"), flags, Mode::empty()).ok()
}

fn listen(containers: &Containers, id: &str) -> std::io::Result<UnixListener> {
    let _ = std::fs::remove_file(containers.socket(id));
    let dir = std::fs::File::open(containers.run_dir(id))?;
    let fd = std::os::fd::AsRawFd::as_raw_fd(&dir);
    let listener = UnixListener::bind(format!("/proc/self/fd/{fd}/monitor.sock"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
