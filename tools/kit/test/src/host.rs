//! A host of a test's own: a network namespace that ends with its thread, roots of its own, and an image of
//! this machine's programs. What a test leaves running is ended when this is dropped.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

/// Kills processes one after the other and waits until each is dead: kill(1) only sends the signal, and on a busy machine
/// its target still holds its locks for a while.
const SLAY: &str = "slay() {
    for dead; do kill -9 $dead 2>/dev/null; while grep -q '^State:.[^Z]' /proc/$dead/status 2>/dev/null; do sleep 0.01; done; done
}
";

pub struct Host {
    dir: TempDir,
}

impl Host {
    /// With the image.
    #[allow(clippy::new_without_default)] // nobody expects a default to make a namespace
    pub fn new() -> Self {
        let host = Self::bare();
        host.ok(&crate::pack());
        host
    }

    /// Without it.
    pub fn bare() -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("this test needs root");
        let host = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        host.ok("ip link set lo up");
        host
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.path().join("root")
    }

    pub fn run_dir(&self) -> PathBuf {
        self.path().join("run")
    }

    /// A shell script with our commands on its PATH, and `slay PID...`.
    pub fn sh(&self, script: &str) -> Output {
        self.command(script).output().unwrap()
    }

    /// Its signals are a terminal's, even where the tests are started by nohup(1) or as a shell's background job: what
    /// is ignored stays so through exec(2), and our commands respect it.
    pub fn command(&self, script: &str) -> Command {
        let mut command = Command::new("env");
        command
            .args(["--default-signal=INT,QUIT,HUP", "sh", "-c"])
            .arg(format!("{SLAY}{script}"))
            .current_dir(self.path())
            .env("PATH", crate::path())
            .env("BOXKIT_RUN", self.run_dir())
            .env("BOXKIT_ROOT", self.root());
        command
    }

    /// What it prints, if it goes well.
    pub fn ok(&self, script: &str) -> String {
        let out = self.sh(script);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{script}: {:?}: {said}", out.status);
        String::from_utf8(out.stdout).unwrap()
    }

    /// Its exit code, what it printed, what it said.
    pub fn outcome(&self, script: &str) -> (i32, String, String) {
        let out = self.sh(script);
        (
            out.status.code().unwrap(),
            String::from_utf8_lossy(&out.stdout).into_owned(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    }

    pub fn code(&self, script: &str) -> i32 {
        self.outcome(script).0
    }

    /// Repeats a script until it succeeds, for what takes a moment.
    pub fn until(&self, script: &str) -> String {
        let start = Instant::now();
        loop {
            let (code, out, said) = self.outcome(script);
            if code == 0 {
                return out;
            }
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{script}: {said}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// All files under a directory of ours, sorted.
    pub fn files(&self, dir: &str) -> String {
        self.ok(&format!(
            "[ ! -e {dir} ] || find {dir} -not -path '*/images/*' | sort"
        ))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.sh(
            "rrun ps -aq | xargs -r rrun rm -f; rrun gc; findmnt -rn -o TARGET | grep \"^$PWD/\" | xargs -r umount -l; true",
        );
    }
}
