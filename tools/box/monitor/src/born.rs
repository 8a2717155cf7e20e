//! How a monitor is made: forked early by a small static process, before it knows its container, or forked to take over a
//! container whose monitor was killed.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use kit_plan::{Fault, Journal, Observer, USAGE, way_out, within};
use rustix::fs::{Mode, OFlags};

use super::early::{self, Ahead};
use super::serve::Monitor;
use super::{MonitorError, clients};
use box_state::{Containers, Lock};
use box_wire::{Event, Failed, Request};

/// A forked monitor that waits for its first frame, [`Request::Go`]. If this value is dropped before that, the monitor
/// exits.
pub struct Fresh {
    /// The client's end: write [`Request::Go`] to it, then read events.
    pub socket: UnixStream,
}

/// The monitor that [`fork_ahead`] has forked, and for which containers.
static AHEAD: Mutex<Option<(Containers, Fresh)>> = Mutex::new(None);

/// Forks a monitor before it is known whether one is needed; the next [`fork`] for the same containers takes it. A failure
/// is ignored: that `fork` tries again and reports it.
pub fn fork_ahead(containers: &Containers, ahead: Ahead) {
    if let (Ok(mut kept), Ok(fresh)) = (AHEAD.lock(), fork_watched(containers, ahead, None)) {
        *kept = Some((containers.clone(), fresh));
    }
}

/// Forks a monitor, which prepares what `ahead` names while it waits for [`Request::Go`]. Call it early, since the monitor
/// keeps a copy of all memory that this process has, and while this process has one thread.
///
/// # Errors
/// [`MonitorError::Fork`]: no socket pair or no process can be made.
pub fn fork(containers: &Containers, ahead: Ahead) -> Result<Fresh, MonitorError> {
    let kept = AHEAD.lock().ok().and_then(|mut kept| kept.take());
    if let Some((_, fresh)) = kept.filter(|(of, _)| of.roots == containers.roots) {
        return Ok(fresh);
    }
    fork_watched(containers, ahead, None)
}

/// As [`fork`], with an observer of the plan that lives in the monitor's process. It is used to stop at each step and by
/// the kill tests.
///
/// # Errors
/// [`MonitorError::Fork`]: no socket pair or no process can be made.
pub fn fork_watched(
    containers: &Containers,
    ahead: Ahead,
    watch: Option<Box<dyn Observer>>,
) -> Result<Fresh, MonitorError> {
    let (ours, theirs) = UnixStream::pair().map_err(MonitorError::Fork)?;
    let containers = containers.clone();
    let cloned = kit_sys::clone::clone_into(0, None, move || {
        let socket = OwnedFd::from(theirs);
        if leave_home(&socket).is_err() {
            return 1;
        }
        early::look(ahead);
        wait_for_go(&containers, UnixStream::from(socket), watch)
    });
    cloned.map_err(|errno| MonitorError::Fork(errno.into()))?;
    Ok(Fresh { socket: ours })
}

/// Gives up all that was inherited from the caller: its terminal, working directory, descriptors and session.
fn leave_home(socket: &OwnedFd) -> io::Result<()> {
    kit_sys::fds::close_all_but(&[socket.as_fd()]);
    rustix::process::setsid()?;
    rustix::process::chdir("/")?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let null = rustix::fs::open("/dev/null", OFlags::RDWR, Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    // It lives as long as the container, and the client's arguments may hold passwords.
    kit_sys::title::set("rrun-monitor")
}

fn wait_for_go(
    containers: &Containers,
    mut socket: UnixStream,
    watch: Option<Box<dyn Observer>>,
) -> i32 {
    let Ok(Some(Request::Go(go))) = Request::read(&mut socket) else {
        return 0;
    };
    let mut first = clients::Client::new(socket);
    first.attach(go.attach);
    // Forked before anybody knew which kind is made.
    let containers = containers.holding(&go.id);
    match Monitor::start(containers, &go, first, watch) {
        Ok(monitor) => monitor.serve(),
        Err((mut client, failed)) => {
            client.send_now(&Event::Failed(failed));
            1
        }
    }
}

/// Starts a monitor for a container that runs without one, and returns when it serves. Does nothing if the container has a
/// monitor after all, or has ended. The exit code of such a run is lost, since its parent is dead.
///
/// # Errors
/// [`MonitorError::Fork`]: no socket pair or no process can be made.
pub fn take_over(containers: &Containers, id: &str) -> Result<(), MonitorError> {
    let (ready, tell) = UnixStream::pair().map_err(MonitorError::Fork)?;
    let (containers, id) = (containers.clone(), id.to_owned());
    let cloned = kit_sys::clone::clone_into(0, None, move || {
        let tell = OwnedFd::from(tell);
        if leave_home(&tell).is_err() {
            return 1;
        }
        let Ok(Some(lock)) = Lock::try_take(&containers, &id) else {
            return 0;
        };
        // Where its start was: "our own" links and rules are of that namespace, not of the caller's.
        let journal = containers.roots.journals().join(format!("{id}.jsonl"));
        let netns = Journal::peek(&journal).ok();
        let netns = netns.and_then(|journal| journal.header.netns);
        let served = within(netns, || match Monitor::adopt(containers, &id, lock) {
            Ok(monitor) => {
                drop(tell);
                monitor.serve()
            }
            Err(_) => 1,
        });
        served.unwrap_or(1)
    });
    cloned.map_err(|errno| MonitorError::Fork(errno.into()))?;
    // The end of file says that it serves, or that there was nothing to take over.
    let _ = io::Read::read(&mut &ready, &mut [0]);
    Ok(())
}

/// A library's error as the frame that a client prints. The exit code is 125, unless the error has one above 2: 126 or 127
/// for a program that cannot be started.
pub fn fault(fault: &dyn Fault) -> Failed {
    Failed {
        text: fault.to_string(),
        hint: way_out(fault),
        exit: Some(fault.exit())
            .filter(|code| *code > USAGE)
            .unwrap_or(125),
    }
}

/// As [`fault`], of a system call that failed.
pub fn io_fault(doing: &'static str, source: io::Error) -> Failed {
    fault(&MonitorError::Io { doing, source })
}
