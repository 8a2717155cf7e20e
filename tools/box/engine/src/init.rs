//! `--init`: a PID 1 that reaps orphans and passes signals on, for programs that do neither.
//!
//! It is this process, which does not become the program but stays as its parent: as its user, under its filter.
//! Not dumpable, so nothing inside reaches our executable through it.

use std::os::fd::AsFd;

use oci_spec::runtime::Spec;

use kit_plan::{Context, Done, Meta, Shell, Side, Step, StepError};
use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;
use rustix::process::{Pid, Signal as Number, WaitOptions, getpgrp, kill_process, setpgid, wait};
use rustix::termios::tcsetpgrp;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::error::fail;
use super::told::{heard, tell};
use crate::says;

/// In config.json's annotations, `true`: PID 1 is ours, and reaps.
pub const ANNOTATION: &str = "org.boxkit.init";

/// Whether it is asked for.
pub fn is_wanted(spec: &Spec) -> bool {
    let annotations = spec.annotations().as_ref();
    annotations
        .and_then(|all| all.get(ANNOTATION))
        .is_some_and(|value| value == "true")
}

/// What the step that becomes the program finds in the context.
pub struct Stays;

/// Says so.
pub struct Stay;

impl Step for Stay {
    fn meta(&self) -> Meta {
        Meta::new(
            "init.stay",
            says::init(),
            Shell::None(
                "a sh that stayed as PID 1 would be the host's own: the program is PID 1 itself, without an init",
            ),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        cx.keep(Stays);
        Ok(Done::nothing())
    }
}

/// Clones the program, which `exec` becomes, and stays. Returns only if it could not be started.
pub fn stay(exec: impl FnOnce() -> Result<Done, StepError>) -> Result<Done, StepError> {
    let (said, say) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail("making a pipe"))?;
    let mut all = SigSet::all();
    // Whatever comes is waited for, not handled; a fault of our own stays one.
    for fault in [
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGILL,
        Signal::SIGFPE,
        Signal::SIGABRT,
    ] {
        all.remove(fault);
    }
    all.thread_block().map_err(fail("blocking signals"))?;
    let cloned = kit_sys::clone::clone_plain(|| match own_group().and_then(|()| exec()) {
        Ok(_) => 0,
        Err(error) => tell(&say, &error),
    });
    let child = cloned.map_err(fail("cloning the program's process"))?;
    drop(say);
    if let Some(error) = heard(said)? {
        return Err(error);
    }
    as_executed()?;
    // The relay's pipes too: their end tells the monitor that the program runs.
    kit_sys::fds::close_all_but(&[child.pidfd.as_fd()]);
    let code = serve(child.pid, &all);
    kit_sys::process::exit_now(code)
}

/// Gives up what an execve(2) would have taken from a user who is not root: we do not go through one.
fn as_executed() -> Result<(), StepError> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(fail("giving up the capabilities of the init"))
}

/// What is typed at the terminal is then the program's alone; or a Ctrl-C would come to it by us once more.
fn own_group() -> Result<(), StepError> {
    let doing = "making the program's process group";
    setpgid(None, None).map_err(fail(doing))?;
    match tcsetpgrp(std::io::stdin(), getpgrp()) {
        Ok(()) | Err(Errno::NOTTY | Errno::BADF) => Ok(()),
        Err(errno) => Err(fail(doing)(errno)),
    }
}

fn serve(program: i32, signals: &SigSet) -> i32 {
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                if let Some(code) = reap(program) {
                    return code;
                }
            }
            // The terminal's word to a background process.
            Ok(Signal::SIGTTIN | Signal::SIGTTOU) | Err(_) => {}
            Ok(signal) => {
                if let (Some(pid), Some(number)) = (
                    Pid::from_raw(program),
                    Number::from_named_raw(signal as i32),
                ) {
                    let _ = kill_process(pid, number);
                }
            }
        }
    }
}

/// Reaps whoever is dead; the program's code when it is among them.
fn reap(program: i32) -> Option<i32> {
    let mut code = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid.as_raw_nonzero().get() == program {
            let signalled = status.terminating_signal().map(|signal| 128 + signal);
            code = status.exit_status().or(signalled).or(code);
        }
    }
    code
}
