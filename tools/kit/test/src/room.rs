//! A directory with roots of its own in which scripts run, in new namespaces if the test asks for them. Unlike a
//! `Host`, it leaves the test's own thread where it is.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

pub struct Room {
    dir: TempDir,
    namespaces: &'static [&'static str],
    first: &'static str,
}

impl Room {
    /// Scripts run in the test's own namespaces.
    #[allow(clippy::new_without_default)] // nobody expects a default to make a directory
    pub fn new() -> Self {
        Self::apart(&[], "")
    }

    /// Each script runs in new namespaces, by their flags of unshare(1), and begins with `first`, whole lines of sh.
    pub fn apart(namespaces: &'static [&'static str], first: &'static str) -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            namespaces,
            first,
        }
    }

    /// Of a name in the directory, without symlinks: the temporary directory may be one, and commands print real paths.
    pub fn path(&self, name: &str) -> PathBuf {
        std::fs::canonicalize(self.dir.path()).unwrap().join(name)
    }

    /// A program in the directory, with its roots and with our commands on its PATH.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env("PATH", crate::path())
            .env("BOXKIT_ROOT", self.path("root"))
            .env("BOXKIT_RUN", self.path("run"))
            .stdin(Stdio::null());
        command
    }

    /// A script of sh that stops at its first failure.
    pub fn sh(&self, script: &str) -> Output {
        let script = format!("{}{script}", self.first);
        let mut command = if self.namespaces.is_empty() {
            self.command("sh")
        } else {
            let mut command = self.command("unshare");
            command.args(self.namespaces).arg("sh");
            command
        };
        command.arg("-euc").arg(script).output().unwrap()
    }

    /// The standard output of a script that must succeed.
    pub fn ok(&self, script: &str) -> String {
        let out = self.sh(script);
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert!(out.status.success(), "{script}\n{stdout}\n{stderr}");
        stdout
    }

    /// The standard error of a script that must fail with `code`.
    pub fn fails(&self, code: i32, script: &str) -> String {
        let out = self.sh(script);
        let (stdout, stderr) = (text(&out.stdout), text(&out.stderr));
        assert_eq!(
            out.status.code(),
            Some(code),
            "{script}\n{stdout}\n{stderr}"
        );
        stderr
    }
}

/// What a command printed, which must be UTF-8.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
