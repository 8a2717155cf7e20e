//! The program in force: on a cgroup v2 of its own, of a pure or a hybrid host, judged by what sh may do there.

use std::path::PathBuf;
use std::process::Command;

use oci_spec::runtime::Spec;

use super::{Kind, Rule, always, attach, program, rules_of};

struct Cgroup(PathBuf);

impl Drop for Cgroup {
    fn drop(&mut self) {
        std::fs::remove_dir(&self.0).expect("the cgroup is empty");
    }
}

/// What `script` says on stderr, and whether it went well, with the rules and in a scratch directory.
fn under_rules(name: &str, rules: &[Rule], script: &str) -> Option<(bool, String)> {
    let host = rcgroup::Hierarchies::detect().ok()?;
    let Some(root) = host.v2.filter(|_| rustix::process::geteuid().is_root()) else {
        println!("skip: {name}: no cgroup v2 is mounted, or this is not root");
        return None;
    };
    let own = format!("boxkit-test-{name}-{}", std::process::id());
    let group = Cgroup(root.join(&own));
    std::fs::create_dir(&group.0).expect("a cgroup can be made");
    attach(&group.0, rules).expect("the verifier takes the program");
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
    if let Some((ok, stderr)) = under_rules("allowed", &docker(), script) {
        assert!(ok, "{stderr}");
    }
}

#[test]
fn anything_else_is_refused_by_the_rules_themselves() {
    // Numbers that no driver has: without the rules the answer is ENXIO.
    for node in ["b 7 255", "c 200 5", "c 10 255", "c 1 1", "c 1 4", "c 5 3"] {
        let script = format!("mknod node {node} && : <node");
        if let Some((ok, stderr)) = under_rules("refused", &docker(), &script) {
            assert!(!ok, "{node}");
            assert!(
                stderr.contains("Operation not permitted"),
                "{node}: {stderr}"
            );
        }
    }
}

fn docker() -> Vec<Rule> {
    always().collect()
}

fn spec(devices: &str) -> Spec {
    let text =
        format!(r#"{{"ociVersion":"1.2.0","linux":{{"resources":{{"devices":{devices}}}}}}}"#);
    serde_json::from_str(&text).expect("a configuration")
}

#[test]
fn a_later_rule_takes_back_what_an_earlier_one_allows() {
    let given = r#"[{"allow":true,"type":"c","major":10,"access":"rwm"},{"allow":false,"type":"c","major":10,"minor":229,"access":"w"}]"#;
    let rules = rules_of(&spec(given)).unwrap().unwrap();
    assert_eq!(rules[0].to_string(), "c 10:* rwm");
    let script = "mknod fuse c 10 229 && mknod none c 10 255 && (: <fuse; : <none) 2>&1 | grep -c 'not permitted'; : >fuse";
    if let Some((ok, stderr)) = under_rules("taken-back", &rules, script) {
        assert!(
            !ok && stderr.contains("Operation not permitted"),
            "{stderr}"
        );
    }
}

#[test]
fn all_devices_is_no_rule_and_a_bare_deny_is_dockers_list() {
    assert_eq!(
        rules_of(&spec(r#"[{"allow":true,"access":"rwm"}]"#)).unwrap(),
        None
    );
    for nothing in [
        r#"[{"allow":false,"access":"rwm"}]"#,
        "[]",
        r#"[{"allow":true},{"allow":false}]"#,
    ] {
        assert_eq!(
            rules_of(&spec(nothing)).unwrap(),
            Some(docker()),
            "{nothing}"
        );
    }
    let error = rules_of(&spec(r#"[{"allow":true},{"allow":false,"type":"b"}]"#)).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("carrying out \"linux.resources.devices\""),
        "{error}"
    );
}

#[test]
fn a_rule_costs_no_comparison_that_it_does_not_need() {
    let none = program::compile(&[]);
    let rule = |allow, major, access: &str| Rule {
        allow,
        kind: Kind::Character,
        major,
        minor: major.map(|_| 3),
        access: access.to_owned(),
    };
    // Kind, major, minor, the verdict; no comparison of the access where all of it is allowed.
    assert_eq!(
        program::compile(&[rule(true, Some(1), "rwm")]).len(),
        none.len() + 5
    );
    assert_eq!(
        program::compile(&[rule(true, None, "m")]).len(),
        none.len() + 6
    );
}
