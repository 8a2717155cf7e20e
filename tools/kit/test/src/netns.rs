//! A network namespace for the calling thread: what it starts is in it, and it ends with the thread.

use std::process::Command;

use nix::sched::{CloneFlags, unshare};

/// The thread is alone from here on; nothing is forwarded, as on a machine just installed.
pub fn own_netns() {
    unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
    sh("ip link set lo up; echo 0 >/proc/sys/net/ipv4/ip_forward");
}

/// What a script prints that must succeed.
pub fn sh(script: &str) -> String {
    let out = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(
        out.status.success(),
        "{script}: {}",
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).unwrap()
}
