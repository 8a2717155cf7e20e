//! Threads that do the jobs of a plan ahead of the steps that wait for them, as many at once as there are processors. They end when this is
//! dropped: before a rollback, and before the process does anything else.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Job, Progress, Taken};
use crate::StoreError;
use crate::source::SourceError;

pub(crate) struct Crew {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    jobs: Vec<Arc<Job>>,
    progress: Progress,
    next: AtomicUsize,
    stop: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    done: Vec<Option<Taken>>,
    /// The first failure; the others were stopped for it.
    failed: Option<SourceError>,
    over: bool,
}

impl Crew {
    pub fn start(jobs: &[Arc<Job>], progress: &Progress) -> Self {
        let shared = Arc::new(Shared {
            jobs: jobs.to_vec(),
            progress: progress.clone(),
            next: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            state: Mutex::new(State {
                done: vec![None; jobs.len()],
                failed: None,
                over: false,
            }),
            changed: Condvar::new(),
        });
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let start = |_| {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().spawn(move || shared.work())
        };
        let started: Vec<_> = (0..threads.min(jobs.len())).map(start).collect();
        let mut threads = Vec::new();
        let mut refused = None;
        for thread in started {
            match thread {
                Ok(thread) => threads.push(thread),
                Err(error) => refused = Some(error),
            }
        }
        // Fewer than there are processors will do.
        if let (true, Some(error)) = (threads.is_empty(), refused) {
            shared.state().failed = Some(StoreError::Thread(error).into());
        }
        Self { shared, threads }
    }

    /// What a job came to, when it has; or what went wrong with another.
    pub fn wait(&self, at: usize) -> Result<Taken, SourceError> {
        let mut state = self.shared.state();
        loop {
            if let Some(error) = state.failed.take() {
                return Err(error);
            }
            if let Some(taken) = state.done.get_mut(at).and_then(Option::take) {
                return Ok(taken);
            }
            if state.over {
                let died = io::Error::other("a thread of ours died");
                return Err(SourceError::io("unpack", Path::new("layer"))(died));
            }
            let waited = self.shared.changed.wait(state);
            state = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let _alarm = Alarm(self);
        while !self.stop.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(job) = self.jobs.get(at) else { return };
            let came_to = job.take(&|bytes| {
                self.progress.tell(bytes as u64);
                if self.stop.load(Ordering::Relaxed) {
                    return Err(io::Error::other("stopped"));
                }
                Ok(())
            });
            let mut state = self.state();
            match came_to {
                Ok(taken) => state.done[at] = Some(taken),
                Err(error) if !self.stop.swap(true, Ordering::Relaxed) => {
                    state.failed = Some(error);
                    state.over = true;
                }
                Err(_) => {}
            }
            drop(state);
            self.changed.notify_all();
        }
    }
}

/// A thread that panics must not leave others waiting.
struct Alarm<'a>(&'a Shared);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.state().over = true;
            self.0.changed.notify_all();
        }
    }
}
