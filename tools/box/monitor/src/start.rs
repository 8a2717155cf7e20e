//! Starting a container: its plan, and what others find it by.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use kit_plan::{Context, Header, Journal, Mark, Observer, ProcessId};
use kit_undo::Kernel;

use super::MonitorError;
use super::born::{fault, io_fault};
use super::clients::Client;
use super::idle::Idle;
use super::log::Log;
use super::output::Tell;
use super::prepare;
use super::rules::Rules;
use super::serve::{LISTENING, Monitor, listen, root_of};
use super::streams::{Buffer, Streams};
use box_engine as engine;
use box_net as network;
use box_state::{Container, Containers, Lock, RunState, Status, now};
use box_wire::{Event, Failed, Go};

/// More than others take to look whether a container's lock is free, on a busy machine.
const GLANCE: Duration = Duration::from_secs(1);

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
        if go.older {
            super::refuse_bundled("starting", &containers, &container).map_err(|e| fault(&e))?;
        }
        super::recover::last_run(&containers, &go.id)?;
        let rules = Rules::of(&container);
        let started = Self::apply(
            &containers,
            &container,
            &mut Tell::new(client, go, &containers.roots, watch),
            go.size,
        );
        let never = |failed: &Failed| super::end::never_started(&containers, &container, failed);
        let (mut cx, mut journal, kernel) = started.inspect_err(never)?;
        match Recorded::of(&containers, &container, &mut cx, &journal) {
            Ok(recorded) => {
                Ok(recorded.serving(containers, container, lock, rules, (cx, journal, kernel)))
            }
            Err(failed) => {
                // The program runs already, and nobody could be told so.
                let errors = journal.rollback(&kernel, &mut kit_plan::Silent);
                if errors.is_empty() {
                    let _ = journal.discard();
                }
                never(&failed);
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
}

/// A run that others can find: its state is written, and its socket listens.
struct Recorded {
    state: RunState,
    streams: Streams,
    pidfd: OwnedFd,
    pid: i32,
    listener: UnixListener,
}

impl Recorded {
    fn of(
        containers: &Containers,
        container: &Container,
        cx: &mut Context,
        journal: &Journal,
    ) -> Result<Self, Failed> {
        let streams = Streams::take(cx);
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
            process: ProcessId::of(pid).ok().or_else(|| process_of(journal)),
            monitor: ProcessId::of_self().ok(),
            started_at: now(),
            restarts: earlier.restarts,
            ..RunState::default()
        };
        prepare::note(&mut state, cx);
        let listener =
            listen(containers, &container.id).map_err(|source| io_fault(LISTENING, source))?;
        let saved = containers.save_state(&container.id, &state, !container.auto_remove);
        saved.map_err(|e| fault(&e))?;
        Ok(Self {
            state,
            streams,
            pidfd,
            pid,
            listener,
        })
    }

    fn serving(
        self,
        containers: Containers,
        container: Container,
        lock: Lock,
        rules: Option<Rules>,
        (mut cx, journal, kernel): Applied,
    ) -> Monitor {
        Monitor {
            root: root_of(&container, self.pid),
            log: Log::new(&containers, &container.id),
            containers,
            container,
            state: self.state,
            journal,
            kernel,
            clients: Vec::new(),
            streams: self.streams,
            pidfd: self.pidfd,
            is_parent: true,
            relay: cx.take().unwrap_or_default(),
            rules,
            kept: cx,
            idle: Idle::default(),
            buffer: Buffer::default(),
            listener: self.listener,
            lock,
        }
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
