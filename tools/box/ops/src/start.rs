//! Starting a container that exists: a monitor is told to start it and reports the result.

use std::os::unix::net::UnixStream;

use box_monitor::{Ahead, Fresh};

use box_wire::{Event, Failed, Go, Request};
use kit_plan::{Detail, Told};

use crate::bundle::refuse_bundled;
use crate::stop::settled;
use crate::{OpsError, Subject};

/// What a client sees of the plan of a start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Watch {
    /// Each step, and what is undone.
    pub explain: Option<Detail>,
    /// A JSON line for each step.
    pub trace: bool,
    /// What lines are given to: those of a trace, and warnings.
    pub to: Option<fn(&str)>,
    /// What each step is given to.
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
    Failed(Failed),
    /// The monitor is gone; the container may run.
    Lost,
}

/// What a monitor may prepare before it knows the container; `netns`: a network namespace too.
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
/// The container's root is mounted as a bundle's, or no process can be made.
pub fn launch(
    of: &Subject,
    watch: Watch,
    attach: bool,
    size: Option<(u16, u16)>,
) -> Result<(Fresh, Outcome), OpsError> {
    refuse_bundled("starting", &of.containers, &of.container)?;
    let go = Go {
        id: of.container.id.clone(),
        attach,
        explain: watch.explain,
        trace: watch.trace,
        size,
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
/// What the monitor said.
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
