//! Starting a container that exists: a monitor is told to start it and reports the result.

use std::os::unix::net::UnixStream;

use box_monitor::{Ahead, Fresh};

use box_wire::{Event, Failed, Go, Request};
use kit_plan::{Detail, Told};

use crate::stop::settled;
use crate::{OpsError, Subject};

/// What a client wants to be told of the steps of a start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// How much is told of each step, and of what is undone; `None` for nothing.
    pub explain: Option<Detail>,
    /// Tell each step as a line of JSON.
    pub trace: bool,
    /// Called with each line of a trace, and each warning.
    pub to: Option<fn(&str)>,
    /// Called with each step that `explain` asks for.
    pub tell: Option<fn(&Told)>,
}

impl Watch {
    fn told(self, line: &str) {
        if let Some(to) = self.to {
            to(line);
        }
    }
}

/// The result of a start.
#[derive(Debug)]
pub enum Outcome {
    /// The program runs.
    Started,
    /// It was not started, and what was done is undone.
    Failed(Failed),
    /// The monitor closed its socket without a result, as one that was killed does; the container may run.
    Lost,
}

/// What a monitor prepares before it knows the container; with `netns` also a network namespace.
pub fn likely(netns: bool) -> Ahead {
    Ahead {
        netns,
        rehearsal: crate::spec::build::example,
    }
}

/// Reads events until the program runs or has failed to start.
///
/// # Errors
/// A socket that cannot be read.
pub fn wait_started(socket: &mut UnixStream, watch: Watch) -> std::io::Result<Outcome> {
    loop {
        match Event::read(socket)? {
            Some(Event::Started) => return Ok(Outcome::Started),
            Some(Event::Step(line)) => watch.told(&line),
            Some(Event::Told(told)) => {
                if let Some(tell) = watch.tell {
                    tell(&told);
                }
            }
            Some(Event::Failed(failed)) => return Ok(Outcome::Failed(failed)),
            Some(_) => {}
            None => return Ok(Outcome::Lost),
        }
    }
}

/// Forks a monitor that starts the container, and waits for the result. With `attach` the monitor sends the output, and
/// the terminal has `size` rows and columns.
///
/// # Errors
/// No process can be made.
pub fn launch(
    of: &Subject,
    watch: Watch,
    attach: bool,
    size: Option<(u16, u16)>,
) -> Result<(Fresh, Outcome), OpsError> {
    let go = Go {
        id: of.container.id.clone(),
        attach,
        explain: watch.explain,
        trace: watch.trace,
        size,
        older: true,
    };
    let talk = |source| OpsError::Talk {
        name: of.container.name.clone(),
        source,
    };
    let mut fresh = box_monitor::fork(&of.containers, likely(of.container.net.is_own()))?;
    Request::Go(go).write(&mut fresh.socket).map_err(talk)?;
    let outcome = wait_started(&mut fresh.socket, watch).map_err(talk)?;
    Ok((fresh, outcome))
}

/// Starts a container in the background; one that runs already is left alone, as docker does.
///
/// # Errors
/// [`OpsError::Failed`] with the monitor's report; the errors of [`launch`].
pub fn start(of: &Subject, watch: Watch) -> Result<(), OpsError> {
    let Subject {
        containers,
        container,
    } = of;
    settled(containers, container);
    if containers.state(&container.id)?.is_running() {
        return Ok(());
    }
    match launch(of, watch, false, None)?.1 {
        Outcome::Started => Ok(()),
        Outcome::Failed(failed) => {
            // Another command may have started it a moment before.
            settled(containers, container);
            if containers.is_running(&container.id) {
                return Ok(());
            }
            Err(OpsError::Failed(Failed { exit: 1, ..failed }))
        }
        Outcome::Lost => Err(OpsError::Lost { name: of.name() }),
    }
}
