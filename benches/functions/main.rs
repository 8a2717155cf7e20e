//! `functions PROGRAM <COMMANDS`: which of a program's functions some commands execute, as a script for the linker that puts
//! them side by side. `scripts/order` gives it the commands, a line each.
//!
//! A command and its children are run instruction by instruction (ptrace(2)), some 20,000 a second; a child that becomes
//! another program goes on by itself.

mod names;

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, stdin};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use names::Functions;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let Some(program) = std::env::args_os().skip(1).find(|word| word != "--bench") else {
        eprintln!("functions: usage: functions PROGRAM <COMMANDS");
        return ExitCode::from(2);
    };
    match script(Path::new(&program)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("functions: {error}");
            ExitCode::FAILURE
        }
    }
}

fn script(program: &Path) -> Result<String> {
    let program = program.canonicalize()?;
    let mut functions = Functions::of(&program)?;
    for command in stdin().lock().lines() {
        let command = command?;
        let addresses = executed(&program, &command)?;
        eprintln!("{} instructions: {command}", addresses.len());
        functions.used(&addresses);
    }
    Ok(functions.script())
}

/// The addresses of all instructions of the program that a command executes.
fn executed(program: &Path, command: &str) -> Result<BTreeSet<u64>> {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("kill -STOP $$; exec {command}")]);
    shell.stdin(Stdio::null()).stdout(Stdio::null());
    let child = Pid::from_raw(shell.spawn()?.id().cast_signed());
    waitpid(child, Some(WaitPidFlag::WUNTRACED))?;
    ptrace::attach(child)?;
    kill(child, Signal::SIGCONT)?;
    waitpid(child, None)?;
    ptrace::setoptions(
        child,
        Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL,
    )?;
    ptrace::step(child, None)?;
    Ok(step_through(program)?)
}

/// Until the last of the processes has ended.
fn step_through(program: &Path) -> std::result::Result<BTreeSet<u64>, Errno> {
    let mut addresses = BTreeSet::new();
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::__WALL)) {
            Err(Errno::ECHILD) => return Ok(addresses),
            status => status?,
        };
        let (pid, signal) = match status {
            WaitStatus::PtraceEvent(pid, _, event) if event == Event::PTRACE_EVENT_EXEC as i32 => {
                let link = std::fs::read_link(format!("/proc/{pid}/exe"));
                if link.is_ok_and(|path| path != program) {
                    let _ = ptrace::detach(pid, None);
                    continue;
                }
                addresses.clear();
                (pid, None)
            }
            WaitStatus::Stopped(pid, Signal::SIGTRAP) => {
                let registers = ptrace::getregs(pid);
                addresses.extend(registers.map(|registers| registers.rip));
                (pid, None)
            }
            // A new child begins with a SIGSTOP.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) | WaitStatus::PtraceEvent(pid, ..) => {
                (pid, None)
            }
            WaitStatus::Stopped(pid, signal) => (pid, Some(signal)),
            _ => continue,
        };
        match ptrace::step(pid, signal) {
            // It was killed meanwhile.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => return Err(errno),
        }
    }
}
