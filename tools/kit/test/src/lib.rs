//! What tests of the commands share: a host of a test's own, network namespaces that end with their threads, and
//! where the commands are that were built beside the test. A dev-dependency only: it panics where a test should stop.
#![allow(clippy::unwrap_used)] // a test stops where it fails

use std::time::{Duration, Instant};

mod binaries;
mod host;
mod images;
mod netns;
pub mod replay;
mod room;

pub use binaries::{binaries, path};
pub use host::Host;
pub use images::pack;
pub use netns::{own_netns, sh};
pub use room::{Room, text};

/// Says that a test cannot run here, and why; the gate counts these lines.
pub fn skip(test: &str, reason: &str) {
    println!("skip: {test}: {reason}");
}

/// A line of sh that waits until the job just started is sleep(1): what was to execute it has done so.
pub const ASLEEP: &str =
    "until grep -qx sleep /proc/$!/comm; do kill -0 $! || exit 1; sleep 0.05; done";

/// Lines of sh that run a command and print how many processes it was, and how many of each of `calls` they made.
pub fn counted(command: &str, calls: &[&str]) -> String {
    let traced = calls.join(",");
    let each = calls.join(" ");
    format!(
        "strace -f -e trace=execve,clone,clone3,fork,vfork,{traced} -o calls {command}
         for call in '(execve|clone|clone3|fork|vfork)' {each}; do grep -cE \" $call\\(\" calls || :; done"
    )
}

/// What takes a moment is waited for; then the two states are the same, or the test says which lines are not.
pub fn settles(state: impl Fn() -> String, wanted: &str, when: &str) {
    let start = Instant::now();
    while state() != wanted && start.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(50));
    }
    same(&state(), wanted, when);
}

/// Two states are the same, line by line, or the test says which lines are not.
pub fn same(got: &str, wanted: &str, when: &str) {
    let only = |text: &str, other: &str| -> Vec<String> {
        let lines = text.lines();
        lines
            .filter(|line| !other.lines().any(|one| one == *line))
            .map(str::to_owned)
            .collect()
    };
    assert!(
        got == wanted,
        "{when}: left {:#?}, lost {:#?}",
        only(got, wanted),
        only(wanted, got)
    );
}
