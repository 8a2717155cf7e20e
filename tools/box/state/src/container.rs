//! A container as its files have it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kit_plan::ProcessId;
use kit_units::Proto;
use serde::{Deserialize, Serialize};

use super::endpoint::{Attached, Endpoint};
use super::now;

/// The shape of container.json; 0 stands for files from before it was written down, which had the limits, the user and
/// `--init` in them, and not in config.json.
pub const CONTAINER_VERSION: u32 = 1;

/// `container.json`: what was asked for, beyond the OCI configuration. It changes only by rename or update.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// Of this file's shape: [`CONTAINER_VERSION`].
    #[serde(default)]
    pub version: u32,
    /// 64 hex digits.
    pub id: String,
    /// Without a slash.
    pub name: String,
    /// RFC 3339, UTC.
    pub created: String,
    /// `None` for `--rootfs`.
    pub image: Option<Image>,
    /// `--rootfs`: a directory that is the root itself, and never removed.
    pub rootfs: Option<PathBuf>,
    /// The command, as docker's Path and Args.
    pub path: String,
    pub args: Vec<String>,
    /// `--privileged`: any device may be opened.
    #[serde(default)]
    pub privileged: bool,
    pub tty: bool,
    pub open_stdin: bool,
    /// Its standard input ends with the first client that feeds it: docker's `StdinOnce`, of all but `run -d`.
    #[serde(default)]
    pub stdin_once: bool,
    pub auto_remove: bool,
    /// Whose network namespace it has.
    pub net: Net,
    /// The networks that it is attached to, first the one that its ports are published on.
    pub endpoints: Vec<Endpoint>,
    /// `-p`, one entry a port; `host_port` 0 asks for a free one.
    pub ports: Vec<Port>,
    pub exposed: Vec<String>,
    pub mounts: Vec<MountPoint>,
    /// `--cgroup`: somebody else's cgroup, joined and never removed.
    pub cgroup: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub stop_signal: String,
    /// Seconds between the stop signal and SIGKILL.
    pub stop_timeout: u32,
}

/// The image that a container was made of, by what does not change.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// As the user wrote it.
    pub name: String,
    /// `sha256:…` of its configuration.
    pub id: String,
    /// Unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
}

/// Whose network namespace a container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// Its own.
    Own,
    Host,
    /// Another container's, by ID.
    Container(String),
    /// A network namespace: a name of /run/netns, `pid:N`, or a path.
    Ns(String),
}

impl Net {
    /// Whether it has a network namespace of its own.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub host_ip: Option<std::net::IpAddr>,
    pub host_port: u16,
    pub container_port: u16,
    pub proto: Proto,
}

/// Something mounted, in docker's words.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountPoint {
    /// `bind`, `volume` or `tmpfs`.
    pub kind: String,
    /// A volume's name; empty for others.
    pub name: String,
    pub source: PathBuf,
    pub destination: PathBuf,
    pub rw: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Created,
    Running,
    Paused,
    Exited,
}

/// The shape of state.json; 0 stands for files from before it was written down.
pub const STATE_VERSION: u32 = 1;

/// `state.json`: how it is. The monitor writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunState {
    /// Of this file's shape: [`STATE_VERSION`].
    #[serde(default)]
    pub version: u32,
    pub status: Status,
    /// Made by a run that has not started it yet: if that run is killed now, nobody will.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starting: bool,
    /// PID 1 of the container as the host sees it, while it runs.
    pub process: Option<ProcessId>,
    pub monitor: Option<ProcessId>,
    /// RFC 3339, UTC; empty while it has not happened.
    pub started_at: String,
    pub finished_at: String,
    pub exit_code: i32,
    /// Why it did not start, or why its exit code is unknown.
    pub error: String,
    pub oom_killed: bool,
    /// The networks that it is attached to, while it runs.
    #[serde(default)]
    pub endpoints: Vec<Attached>,
    /// Ports as they were published, none left at 0.
    pub ports: Vec<Port>,
    /// How often it was restarted.
    pub restarts: u32,
}

impl Default for RunState {
    fn default() -> Self {
        Self {
            version: STATE_VERSION,
            status: Status::Created,
            starting: false,
            process: None,
            monitor: None,
            started_at: String::new(),
            finished_at: String::new(),
            exit_code: 0,
            error: String::new(),
            oom_killed: false,
            endpoints: Vec::new(),
            ports: Vec::new(),
            restarts: 0,
        }
    }
}

/// What an exit code that nobody saw is reported as.
const UNKNOWN: i32 = 255;

impl RunState {
    /// Its end, now; `seen` is the exit code, where somebody saw it.
    pub fn end(&mut self, seen: Option<i32>) {
        self.status = Status::Exited;
        (self.process, self.monitor) = (None, None);
        self.finished_at = now();
        self.exit_code = seen.unwrap_or(UNKNOWN);
        self.endpoints.clear();
        self.ports.clear();
        if seen.is_none() {
            "its monitor was killed, so nobody saw its exit code".clone_into(&mut self.error);
        }
    }

    /// Whether its PID 1 lives; what the file says is not believed, since the monitor may have been killed.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused)
            && self.process.as_ref().is_some_and(ProcessId::is_alive)
    }

    /// Whether its log may grow: its PID 1 lives, or its monitor has not written all of it yet.
    pub fn may_say_more(&self) -> bool {
        let lives = |process: &Option<ProcessId>| process.as_ref().is_some_and(ProcessId::is_alive);
        matches!(self.status, Status::Running | Status::Paused)
            && (lives(&self.process) || lives(&self.monitor))
    }

    /// Running without a monitor: the next command that takes its lock starts one.
    pub fn is_unattended(&self) -> bool {
        self.is_running() && !self.monitor.as_ref().is_some_and(ProcessId::is_alive)
    }
}
