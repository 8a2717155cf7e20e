//! The program in force: on a cgroup v2 of its own, of a pure or a hybrid host, judged by what sh may do there.

use std::path::PathBuf;
use std::process::Command;

use super::{attach, program};

struct Cgroup(PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).expect("the cgroup is empty");
    }
}

/// What `script` says on stderr, and whether it went well, with the rules and in a scratch directory.
fn under_rules(name: &str, script: &str) -> Option<(bool, String)> {
    let host = rcgroup::Hierarchies::detect().ok()?;
    let Some(root) = host.v2.filter(|_| rustix::process::geteuid().is_root()) else {
        println!("skip: {name}: no cgroup v2 is mounted, or this is not root");
        return None;
    };
    let own = format!("boxkit-test-{name}-{}", std::process::id());
    let group = Cgroup(root.join(&own));
    std::fs::create_dir(&group.0).expect("a cgroup can be made");
    attach(&group.0).expect("the verifier takes the program");
    let scratch = std::env::temp_dir().join(own);
    std::fs::create_dir(&scratch).expect("a scratch directory");
    let text = format!(
        "echo 0 >{:?}/cgroup.procs && cd {scratch:?} && {script}",
        group.0
    );
    let out = Command::new("sh").args(["-c", &text]).output().expect("sh");
    std::fs::remove_dir_all(&scratch).expect("the scratch directory goes");
    // A pipeline's last process may still be on its way out.
    std::thread::sleep(std::time::Duration::from_millis(20));
    Some((
        out.status.success(),
        String::from_utf8_lossy(&out.stderr).into_owned(),
    ))
}

#[test]
fn what_docker_allows_is_allowed() {
    let script = "mknod loop b 7 0 && mknod any c 200 5 && \
                  for n in null zero full random urandom; do : <>/dev/$n || exit; done; \
                  : <>/dev/ptmx";
    if let Some((ok, stderr)) = under_rules("allowed", script) {
        assert!(ok, "{stderr}");
    }
}

#[test]
fn anything_else_is_refused_by_the_rules_themselves() {
    // Numbers that no driver has: without the rules the answer is ENXIO.
    for node in ["b 7 255", "c 200 5", "c 10 255", "c 1 1", "c 1 4", "c 5 3"] {
        let script = format!("mknod node {node} && : <node");
        if let Some((ok, stderr)) = under_rules("refused", &script) {
            assert!(!ok, "{node}");
            assert!(
                stderr.contains("Operation not permitted"),
                "{node}: {stderr}"
            );
        }
    }
}

#[test]
fn a_rule_that_cannot_be_read_allows_nothing() {
    let none = program::compile(&[]);
    for bad in ["", "x 1:3 rwm", "c 1 rwm", "c one:3 rwm"] {
        assert_eq!(program::compile(&[bad]), none, "{bad:?}");
    }
    // Kind, major, minor, the verdict; no comparison of the access where all of it is allowed.
    assert_eq!(program::compile(&["c 1:3 rwm"]).len(), none.len() + 5);
    assert_eq!(program::compile(&["c *:* m"]).len(), none.len() + 6);
}
