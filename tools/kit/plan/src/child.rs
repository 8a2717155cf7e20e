//! The child's half of a plan: it runs its own steps one by one, each when the parent lets it, and says
//! of each what it came to. The parent may do steps of its own meanwhile. The end of file on the go-pipe, when the parent has died, makes it exit.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use kit_sys::calls;
use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use crate::{Context, Done, Note, Side, Slots, StepError};

/// The parent's view of the child.
pub trait Child {
    /// Lets it do its next `steps` steps with what the slots hold by now, and does not wait.
    fn let_go(&mut self, steps: usize, slots: &Slots);

    /// What step `index` came to and how long it took; waits for it. `last` says that the step replaces the
    /// child's program, so that silence is success.
    fn hear(&mut self, index: usize, last: bool) -> (Result<Done, StepError>, Duration);
}

/// What the parent says: how many steps, and the slots, some of them filled since the clone.
#[derive(Serialize, Deserialize)]
struct LetGo {
    steps: usize,
    slots: Slots,
}

/// What the child says of a step: `{step, errno, detail}` in words.
#[derive(Serialize, Deserialize)]
struct Report {
    step: usize,
    usec: u64,
    note: Option<Note>,
    error: Option<Failure>,
    /// The system calls it made, if somebody wants to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<String>,
    /// It is not over: what follows replaces the program, or the next report says why not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    going_on: bool,
}

#[derive(Serialize, Deserialize)]
struct Failure {
    text: String,
    hint: Option<String>,
    exit: u8,
}

/// The parent's end.
pub struct Relay {
    go: File,
    results: BufReader<File>,
}

/// The child's end.
pub struct ChildEnd {
    go: BufReader<File>,
    results: File,
    /// How many more steps it may do.
    let_go: usize,
    /// Reports that nobody waits for yet. Each write wakes the parent, which on a virtual machine takes as long as a mount.
    said: Vec<u8>,
}

/// Both ends, to be made before the clone; each process drops the other's.
pub fn relay() -> Result<(Relay, ChildEnd), StepError> {
    let pipe = || {
        pipe_with(PipeFlags::CLOEXEC).map_err(|e| StepError::new("making a pipe to the child", e))
    };
    let (go_out, go_in) = pipe()?;
    let (results_out, results_in) = pipe()?;
    let parent = Relay {
        go: go_in.into(),
        results: BufReader::new(results_out.into()),
    };
    Ok((
        parent,
        ChildEnd {
            go: BufReader::new(go_out.into()),
            results: results_in.into(),
            let_go: 0,
            said: Vec::new(),
        },
    ))
}

impl Child for Relay {
    fn let_go(&mut self, steps: usize, slots: &Slots) {
        let slots = slots.clone();
        // A dead child is found out by the end of its results.
        if let Ok(mut line) = serde_json::to_vec(&LetGo { steps, slots }) {
            line.push(b'\n');
            let _ = self.go.write_all(&line);
        }
    }

    fn hear(&mut self, index: usize, last: bool) -> (Result<Done, StepError>, Duration) {
        let begun = Instant::now();
        match self.report(index) {
            Ok(Some(report)) => (report.came_to(), Duration::from_micros(report.usec)),
            Ok(None) if last => (Ok(Done::nothing()), begun.elapsed()),
            Ok(None) => (
                Err(lost("it ended before its steps were done").hint(KILLED)),
                begun.elapsed(),
            ),
            Err(error) => (Err(error), begun.elapsed()),
        }
    }
}

impl Relay {
    /// `None` at the end of all reports.
    fn report(&mut self, index: usize) -> Result<Option<Report>, StepError> {
        loop {
            let mut line = String::new();
            self.results.read_line(&mut line).map_err(lost)?;
            if line.is_empty() {
                return Ok(None);
            }
            let mut report: Report = serde_json::from_str(&line).map_err(lost)?;
            if report.step != index {
                return Err(lost(format!(
                    "it reports step {} where {index} is due",
                    report.step
                )));
            }
            for call in report.calls.drain(..) {
                calls::note(|| call);
            }
            if !report.going_on {
                return Ok(Some(report));
            }
        }
    }
}

/// What most often ends a child without a word of its own.
const KILLED: &str = "the kernel kills a process whose cgroup has a memory limit too small for it: raise the limit, or see dmesg for another cause";

fn lost(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StepError {
    StepError::new("hearing from the child", why)
}

impl Report {
    fn came_to(&self) -> Result<Done, StepError> {
        let Some(failure) = &self.error else {
            return Ok(Done {
                made: Vec::new(),
                note: self.note.clone(),
            });
        };
        let error = StepError::whole(failure.text.clone()).exit(failure.exit);
        Err(error.hint_from(failure.hint.as_ref()))
    }
}

impl ChildEnd {
    /// Runs the plan's child-side steps; the body of the clone. Returns the code to leave with, or does not
    /// return, when the last step has replaced this program.
    pub fn run(mut self, cx: &mut Context) -> i32 {
        let mut keep: Vec<_> = cx.fds().collect();
        keep.extend([self.go.get_ref().as_fd(), self.results.as_fd()]);
        // The journal's lock and the monitor's sockets among others: a half-made child must hold nothing.
        kit_sys::fds::close_all_but(&keep);
        // What the clone copied is the parent's to tell.
        calls::take();
        let steps = cx.steps();
        let last = steps.iter().rposition(|step| step.side() == Side::Child);
        for (index, step) in steps.iter().enumerate() {
            if step.side() != Side::Child {
                continue;
            }
            if !self.wait(&mut cx.slots) {
                return 1;
            }
            // The last replaces this program.
            if Some(index) == last {
                if !self.flush() {
                    return 1;
                }
                self.tell_before_exec(index);
            }
            let begun = Instant::now();
            let outcome = step.apply(cx);
            let failed = outcome.is_err();
            if !self.tell(index, outcome, begun.elapsed()) || failed {
                return 1;
            }
        }
        0
    }

    /// Whether the parent says go on; not so when it is gone.
    fn wait(&mut self, slots: &mut Slots) -> bool {
        if self.let_go == 0 {
            let mut line = String::new();
            let heard = self
                .go
                .read_line(&mut line)
                .map(|_| serde_json::from_str(&line));
            let Ok(Ok(LetGo {
                steps,
                slots: filled,
            })) = heard
            else {
                return false;
            };
            (self.let_go, *slots) = (steps, filled);
        }
        self.let_go -= 1;
        true
    }

    /// Nobody is left to tell the calls of the step that replaces this program: they are told just before.
    fn tell_before_exec(&self, index: usize) {
        let Ok(mut results) = self.results.try_clone() else {
            return;
        };
        calls::before_exec(move |calls| {
            let report = Report {
                step: index,
                usec: 0,
                note: None,
                error: None,
                calls,
                going_on: true,
            };
            if let Ok(mut line) = serde_json::to_vec(&report) {
                line.push(b'\n');
                let _ = results.write_all(&line);
            }
        });
    }

    fn tell(&mut self, index: usize, outcome: Result<Done, StepError>, took: Duration) -> bool {
        let is_last_word = outcome.is_err();
        let (note, error) = match outcome {
            Ok(done) => (done.note, None),
            Err(e) => (
                None,
                Some(Failure {
                    text: e.to_string(),
                    hint: e.get_hint(),
                    exit: e.exit_code(),
                }),
            ),
        };
        let Ok(mut line) = serde_json::to_vec(&Report {
            step: index,
            usec: took.as_micros() as u64,
            note,
            error,
            calls: calls::take(),
            going_on: false,
        }) else {
            return false;
        };
        line.push(b'\n');
        self.said.extend(line);
        // Nobody but the parent can let it go on, or it does not go on at all.
        self.let_go > 0 && !is_last_word || self.flush()
    }

    fn flush(&mut self) -> bool {
        let written = self.results.write_all(&self.said).is_ok();
        self.said.clear();
        written
    }
}
