//! The child's half of a plan: it runs its own steps one by one, each after a byte from the parent, and says
//! of each what it came to. The end of file on the go-pipe, when the parent has died, makes it exit.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::{PipeFlags, pipe_with};
use serde::{Deserialize, Serialize};

use crate::{Context, Done, Side, Step, StepError};

/// The parent's view of the child: it has a child-side step done.
pub trait Child {
    /// Has step `index` done and returns what it came to. `ahead` more child-side steps follow it directly
    /// and may run on without being asked; `last` says that the step replaces the child's program, so that
    /// silence is success.
    fn step(&mut self, index: usize, ahead: usize, last: bool) -> Result<Done, StepError>;
}

/// What the child says of a step: `{step, errno, detail}` in words.
#[derive(Serialize, Deserialize)]
struct Report {
    step: usize,
    note: Option<String>,
    error: Option<Failure>,
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
    /// Steps that were let go already.
    let_go: usize,
}

/// The child's end.
pub struct ChildEnd {
    go: File,
    results: File,
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
        let_go: 0,
    };
    Ok((
        parent,
        ChildEnd {
            go: go_out.into(),
            results: results_in.into(),
        },
    ))
}

impl Child for Relay {
    fn step(&mut self, index: usize, ahead: usize, last: bool) -> Result<Done, StepError> {
        if self.let_go == 0 {
            self.let_go = 1 + ahead;
            // A dead child is found out below, by the end of its results.
            let _ = self.go.write_all(&vec![b'g'; self.let_go]);
        }
        self.let_go -= 1;
        let mut line = String::new();
        let read = self.results.read_line(&mut line);
        read.map_err(|e| StepError::new("hearing from the child", e))?;
        if line.is_empty() {
            return if last {
                Ok(Done::nothing())
            } else {
                Err(StepError::new(
                    "hearing from the child",
                    "it ended before its steps were done",
                ))
            };
        }
        let report: Report =
            serde_json::from_str(&line).map_err(|e| StepError::new("hearing from the child", e))?;
        match report.error {
            _ if report.step != index => Err(StepError::new(
                "hearing from the child",
                format!("it reports step {} where {index} is due", report.step),
            )),
            None => Ok(Done {
                made: Vec::new(),
                note: report.note,
            }),
            Some(failure) => {
                let error = StepError::whole(failure.text).exit(failure.exit);
                Err(match failure.hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        }
    }
}

impl ChildEnd {
    /// Runs the plan's child-side steps; the body of the clone. Returns the code to leave with, or does not
    /// return, when the last step has replaced this program.
    pub fn run(mut self, cx: &mut Context) -> i32 {
        let mut keep: Vec<_> = cx.fds().collect();
        keep.extend([self.go.as_fd(), self.results.as_fd()]);
        // The journal's lock and the monitor's sockets among others: a half-made child must hold nothing.
        kit_sys::fds::close_all_but(&keep);
        let steps = cx.steps();
        for (index, step) in steps.iter().enumerate() {
            if step.meta().side != Side::Child {
                continue;
            }
            if !self.wait() {
                return 1;
            }
            let outcome = step.apply(cx);
            let failed = outcome.is_err();
            if !self.tell(index, outcome) || failed {
                return 1;
            }
        }
        0
    }

    /// Whether the parent says go on; not so when it is gone.
    fn wait(&mut self) -> bool {
        loop {
            return match self.go.read(&mut [0]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Ok(n) => n == 1,
                Err(_) => false,
            };
        }
    }

    fn tell(&mut self, index: usize, outcome: Result<Done, StepError>) -> bool {
        let (note, error) = match outcome {
            Ok(done) => (done.note, None),
            Err(e) => (
                None,
                Some(Failure {
                    text: e.to_string(),
                    hint: e.get_hint().map(str::to_owned),
                    exit: e.exit_code(),
                }),
            ),
        };
        let Ok(mut line) = serde_json::to_vec(&Report {
            step: index,
            note,
            error,
        }) else {
            return false;
        };
        line.push(b'\n');
        self.results.write_all(&line).is_ok()
    }

    /// The descriptors, for a clone whose body cannot own this value.
    pub fn into_fds(self) -> (OwnedFd, OwnedFd) {
        (self.go.into(), self.results.into())
    }
}

/// How many child-side steps follow `index` directly, and whether `index` is the plan's last one.
pub(crate) fn ahead(steps: &[Box<dyn Step>], index: usize) -> (usize, bool) {
    let rest = steps[index + 1..].iter().map(|step| step.meta().side);
    let ahead = rest.clone().take_while(|side| *side == Side::Child).count();
    (ahead, !rest.into_iter().any(|side| side == Side::Child))
}
