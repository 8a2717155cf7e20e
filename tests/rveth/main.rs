//! rveth against the running kernel, each test in a network and mount namespace of its own, with a /run of its
//! own for named namespaces. What it did is read by ip(8) and tried with ping(8); a dry-run is replayed by sh.
#![allow(clippy::unwrap_used)] // a test stops where it fails

mod cable;
mod pipes;
mod steps;
mod verbs;

use std::ops::Deref;

use kit_test::{ASLEEP, replay, text};
use serde_json::Value;

/// Where the namespaces blue and green are there, and nothing else is.
struct Room(kit_test::Room);

impl Deref for Room {
    type Target = kit_test::Room;

    fn deref(&self) -> &kit_test::Room {
        &self.0
    }
}

impl Room {
    fn new() -> Self {
        Self(kit_test::Room::apart(
            &["--net", "--mount", "--propagation", "private"],
            "mount -t tmpfs t /run; mkdir /run/netns; ip netns add blue; ip netns add green; ip link set lo up\n",
        ))
    }

    /// The standard error of a command that must fail with `code`, having left no link behind.
    fn fails(&self, code: i32, script: &str) -> String {
        let left = "for n in '' '-n blue' '-n green'; do ip $n -o link show; done | grep -v ': lo:' >left || :";
        self.0.fails(
            code,
            &format!("left() {{ {left}; }}; trap left EXIT; {script}"),
        )
    }

    fn left(&self) -> String {
        std::fs::read_to_string(self.path("left")).unwrap()
    }

    /// What ip(8) shows after the script in our namespace, blue and green, less what chance decides; `known` are
    /// the hardware addresses that were asked for.
    fn state(&self, script: &str, known: &[&str]) -> Value {
        let all = self.ok(&format!(
            "{{ :; {script}\n}} >/dev/null; for n in '' '-n blue' '-n green'; do ip $n -d -j addr; echo; ip $n -j route; echo; done"
        ));
        let parts = all.lines().filter(|line| !line.trim().is_empty());
        let mut all: Vec<Value> = parts
            .map(|part| serde_json::from_str(part).unwrap())
            .collect();
        for part in &mut all {
            replay::forget_links(part, known);
        }
        Value::Array(all)
    }
}

/// The last command of the line, with --dry-run.
fn dry_run(script: &str) -> String {
    let at = script.rfind("rveth ").unwrap() + "rveth ".len();
    let end = at + script[at..].find(' ').unwrap();
    format!("{} --dry-run{}", &script[..end], &script[end..])
}

const PAIR: &str = "rveth add left@blue right@green --addr 10.9.0.1/24 --peer-addr 10.9.0.2/24";
