//! `--init`: a PID 1 that reaps orphans and passes signals on, for programs that do neither.
//!
//! The child itself stays as that PID 1 instead of becoming the program: with the program's user and under its filter. It
//! is not dumpable, so that no process inside reaches our executable through /proc/1/exe.

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

/// The annotation of config.json that asks for an init, with the value `true`.
pub const ANNOTATION: &str = "org.boxkit.init";

/// What ps(1) shows of it.
const NAME: &str = "boxkit-init";

/// Whether a configuration asks for an init by [`ANNOTATION`].
pub fn is_wanted(spec: &Spec) -> bool {
    let annotations = spec.annotations().as_ref();
    annotations
        .and_then(|all| all.get(ANNOTATION))
        .is_some_and(|value| value == "true")
}

/// Kept in the context for the step that becomes the program.
pub(crate) struct Stays;

/// The step that asks for an init.
pub(crate) struct Stay;

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
        // Everybody inside can read the arguments of PID 1, and they are the caller's.
        kit_sys::title::set(NAME).map_err(fail("naming the init"))?;
        cx.keep(Stays);
        Ok(Done::nothing())
    }
}

/// Clones the program, which `exec` executes, and stays as its parent. It returns only if the program could not be started.
pub(crate) fn stay(exec: impl FnOnce() -> Result<Done, StepError>) -> Result<Done, StepError> {
    let (said, say) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(fail("making a pipe"))?;
    let mut all = SigSet::all();
    // All signals are waited for and none is handled, but those of a fault in this process.
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

/// Gives up the capabilities that execve(2) takes from a user who is not root: this process executes nothing.
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

/// Puts the program into a process group of its own: a signal of the terminal goes to it alone, or it would get a Ctrl-C a
/// second time from us.
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
            // What the terminal sends to a background process, which this one is.
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

/// Reaps all children that have ended; returns the program's exit code if it is among them.
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
