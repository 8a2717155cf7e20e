//! A careless or hostile neighbour on the same machine acts in a loop beside starts, stops and loads, and nothing of ours
//! breaks or grows. Bounded here; `scripts/test --soak` sets BOXKIT_SOAK to the seconds that each may go on.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod disk;
mod firewall;
mod gc;
mod inside;
mod instance;

use std::process::Child;
use std::time::{Duration, Instant};

use kit_test::Host;

/// A script that is repeated in the background, until this is dropped.
struct Neighbour<'a> {
    host: &'a Host,
    job: Child,
}

impl<'a> Neighbour<'a> {
    fn new(host: &'a Host, script: &str) -> Self {
        let script = format!("until [ -e enough ]; do {script}; done");
        let job = host.command(&script).spawn().unwrap();
        Self { host, job }
    }
}

impl Drop for Neighbour<'_> {
    fn drop(&mut self) {
        let _ = std::fs::write(self.host.path().join("enough"), "");
        let _ = self.job.wait();
        let _ = std::fs::remove_file(self.host.path().join("enough"));
    }
}

/// Does `work` in rounds while `neighbour`, a script, is repeated in the background: at least `rounds`, and in a soak
/// until its time is up.
fn beside(host: &Host, neighbour: &str, rounds: usize, mut work: impl FnMut(usize)) {
    let mut other = Neighbour::new(host, neighbour);
    let soak = std::env::var("BOXKIT_SOAK").ok();
    let seconds = soak.and_then(|text| text.parse().ok()).unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut round = 0;
    while round < rounds || Instant::now() < until {
        let left = other.job.try_wait().unwrap();
        assert!(left.is_none(), "the neighbour has left: {left:?}");
        work(round);
        round += 1;
    }
}
