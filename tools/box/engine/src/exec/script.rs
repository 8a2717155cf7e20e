//! An exec in sh: util-linux's nsenter(1), from the container's cgroups.
//!
//! After nsenter(1) has entered, no command of the host's can be executed, so the script gives up no capabilities, sets no
//! groups and loads no filter: root has all capabilities there (docs/dry-run.md).

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::PathBuf;

use kit_plan::os_text::unescape;
use kit_plan::{Line, Value, cat, words};
use oci_spec::runtime::Process;

use crate::user::{Files, wanted};

/// `$1` to `--` are the cgroups' files; then the command.
const JOIN: &str =
    "while [ \"$1\" != -- ]; do echo 0 >\"$1\" || exit 125; shift; done; shift; exec \"$@\"";

/// What the script is made from.
pub struct Script {
    pub pid: i32,
    pub process: Process,
    pub user: Option<String>,
    pub cgroups: Vec<PathBuf>,
    pub detach: bool,
    pub stdin: bool,
}

impl Script {
    /// The lines of the step that clones.
    pub fn lines(&self) -> Vec<Line> {
        let mut words: Vec<Value> = match (self.detach, self.stdin) {
            (true, _) => words![
                "sh",
                "-c",
                "setsid \"$@\" </dev/null >/dev/null 2>&1 &",
                "sh"
            ],
            (_, false) => words!["sh", "-c", "exec \"$@\" </dev/null", "sh"],
            _ => Vec::new(),
        };
        words.extend(words!["sh", "-c", JOIN, "sh"]);
        words.extend(self.cgroups.iter().map(Value::from));
        words.push("--".into());
        words.extend(self.entering());
        let argv = self.process.args().iter().flatten();
        words.extend(argv.map(|arg| Value::from(unescape(arg))));
        // What this shell has, its children inherit.
        let score = self.process.oom_score_adj().map(|score| Line::Write {
            path: "/proc/self/oom_score_adj".into(),
            text: score.to_string().into(),
        });
        score.into_iter().chain([Line::Run(words)]).collect()
    }

    /// Who it is and what its home is, by the container's files as they are now.
    fn who(&self) -> (u32, u32, OsString) {
        let numbers = self.process.user();
        let text = wanted(self.user.as_deref(), &self.process);
        let root = std::fs::File::open(format!("/proc/{}/root", self.pid));
        let found = root
            .ok()
            .and_then(|root| Files::beneath(root.as_fd()).resolve(&text).ok());
        found.map_or((numbers.uid(), numbers.gid(), "/".into()), |user| {
            (user.uid, user.gid, user.home)
        })
    }

    fn entering(&self) -> Vec<Value> {
        let (uid, gid, home) = self.who();
        let mut words = words!["env", "-i"];
        let env = self.process.env().iter().flatten();
        if !env.clone().any(|pair| pair.starts_with("HOME=")) {
            words.push(cat!["HOME=", home]);
        }
        words.extend(env.map(|pair| Value::from(unescape(pair))));
        // By its path: PATH is the container's by then, in which the program is looked up.
        words.extend(words!["/usr/bin/nsenter", "--target", self.pid.to_string()]);
        words.extend(words![
            "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root"
        ]);
        words.push(cat!["--wdns=", unescape(self.process.cwd())]);
        words.extend(words![
            "--setgid",
            gid.to_string(),
            "--setuid",
            uid.to_string()
        ]);
        words
    }
}
