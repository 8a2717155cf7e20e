//! A container as its two files on disk describe it: `container.json` ([`Container`], what was asked for) and `state.json`
//! ([`RunState`], how its last or present run is). The OCI configuration, config.json, is read by [`Containers::spec`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use kit_plan::ProcessId;
use kit_units::Proto;
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Containers;
use super::endpoint::{Attached, Endpoint};
use super::now;

/// The version of the shape of container.json that this boxkit writes. 0 stands for files without a version, which
/// had the limits, the user and `--init` in them instead of in config.json.
pub const CONTAINER_VERSION: u32 = 1;

/// `container.json`: what was asked for, beyond the OCI configuration. `create` and `run` write it; afterwards only
/// `rrun rename` changes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// The version of this file's shape: [`CONTAINER_VERSION`], or 0 where the file names none.
    #[serde(default)]
    pub version: u32,
    /// 64 lower-case hex digits; also the name of the container's directory.
    pub id: String,
    /// Unique among the containers of these roots, and without docker's leading slash.
    pub name: String,
    /// When the container was made: RFC 3339 in UTC, from [`now`].
    pub created: String,
    /// The image that the root filesystem is made of; `None` for `--rootfs`.
    pub image: Option<Image>,
    /// `--rootfs`: an existing directory of the user's that is the root itself; boxkit never removes it.
    pub rootfs: Option<PathBuf>,
    /// The program, docker's `Path`: the first word of entrypoint and command, as it was written; PATH is searched at
    /// the start.
    pub path: String,
    /// The program's arguments without its name, docker's `Args`.
    pub args: Vec<String>,
    /// `--privileged`, for `inspect`: config.json holds its effects (all capabilities and devices, no seccomp filter).
    #[serde(default)]
    pub privileged: bool,
    /// Flags whose effects are in config.json, as they were given, for `inspect`.
    #[serde(default, skip_serializing_if = "Asked::is_empty")]
    pub asked: Asked,
    /// `-t`: the program's standard streams are one pseudo-terminal.
    pub tty: bool,
    /// `-i`: the container has a standard input that clients may write to; without it the program reads `/dev/null`.
    pub open_stdin: bool,
    /// Docker's `StdinOnce`: the standard input ends when the first client that feeds it ends its own or leaves. Set with
    /// `-i`, but not by `run -d`.
    #[serde(default)]
    pub stdin_once: bool,
    /// `--rm`: the monitor removes the container when its run ends.
    pub auto_remove: bool,
    /// Which network namespace the program runs in.
    pub net: Net,
    /// One entry for each network that the container joins; ports are published on the first.
    pub endpoints: Vec<Endpoint>,
    /// `-p` and `-P`, ranges taken apart: one entry a port. Host port 0 asks for a free one at each start.
    pub ports: Vec<Port>,
    /// Ports of the image's `EXPOSE` and of `--expose`, as `80/tcp`. They are shown, and `-P` publishes them.
    pub exposed: Vec<String>,
    /// The mounts that were asked for (`-v`, `--mount`, `--tmpfs`, the image's `VOLUME`), in docker's words for `inspect`;
    /// config.json has them as they are made.
    pub mounts: Vec<MountPoint>,
    /// `--cgroup`: an existing cgroup of the user's, relative to each hierarchy's root. The container joins it and boxkit
    /// never removes it. `None` for one of the container's own.
    pub cgroup: Option<String>,
    /// Labels of the image, overridden by those of `--label`.
    pub labels: BTreeMap<String, String>,
    /// What `stop` sends first, as the user or the image wrote it: `SIGTERM`, `TERM` or `15`.
    pub stop_signal: String,
    /// Seconds between the stop signal and SIGKILL.
    pub stop_timeout: u32,
}

/// Flags as they were given, where config.json has what came of them alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// `--cap-add`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// `--cap-drop`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// `--security-opt`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_opt: Vec<String>,
    /// `--tmpfs`: mount point and options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tmpfs: BTreeMap<String, String>,
    /// `-P`
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub publish_all: bool,
    /// `--cidfile`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cidfile: Option<PathBuf>,
    /// `run -d`
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
    /// How many words of the program and its arguments are the entrypoint, docker's `Config.Entrypoint`; the others are its
    /// `Config.Cmd`.
    #[serde(skip_serializing_if = "is_zero")]
    pub entrypoint: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde calls it with a reference
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Asked {
    /// Whether none of these flags was given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The image that a container was made of. The ID and the layers stay true when its name moves to another image.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Image {
    /// The reference as the user wrote it, such as `alpine` or `alpine:3.20`.
    pub name: String,
    /// The digest of the image's configuration, `sha256:` and 64 hex digits (OCI image-spec, config.md).
    pub id: String,
    /// Directories of the unpacked layers, lowest first.
    pub layers: Vec<PathBuf>,
}

/// Whose network namespace a container has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Net {
    /// One of its own, made at each start; with no endpoint (`--network none`) it has a loopback link alone.
    Own,
    /// `--network host`: that of the process that starts the container.
    Host,
    /// `--network container:ID`: that of another container, by its full ID.
    Container(String),
    /// `--network ns:NETNS`: an existing one, given as a name of ip-netns(8), `pid:N` or a path.
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
    /// The address of the host that is listened on; `None` for all of them, IPv4 and IPv6.
    pub host_ip: Option<std::net::IpAddr>,
    /// The port of the host; 0 asks for a free one.
    pub host_port: u16,
    /// The port that the program listens on, in the container's network namespace.
    pub container_port: u16,
    /// The transport protocol of both ports.
    pub proto: Proto,
}

/// A mount that the user or the image asked for, in the words of docker's `Mounts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MountPoint {
    /// `bind`, `volume` or `tmpfs`.
    pub kind: String,
    /// A volume's name; empty for the other kinds.
    pub name: String,
    /// The directory or file on the host; for a volume its `_data`; empty for `tmpfs`.
    pub source: PathBuf,
    /// The absolute path inside the container.
    pub destination: PathBuf,
    /// Whether the container may write to it.
    pub rw: bool,
    /// Of a `bind`, which way mounts beneath it travel, in docker's words; empty for `rprivate` in older files.
    #[serde(default)]
    pub propagation: String,
}

/// Docker's status as state.json has it. It is stale if the monitor was killed: ask [`RunState::is_running`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Made, and never started; also after a first start that failed.
    Created,
    /// The program was started and nobody has reported its end.
    Running,
    /// Running, and frozen by its cgroup. No verb of this boxkit writes it: who shows a container asks the cgroup. Readers of
    /// the file treat it as [`Status::Running`].
    Paused,
    /// The last run is over, and `exit_code` and `finished_at` tell of it.
    Exited,
}

/// The version of the shape of state.json that this boxkit writes. 0 stands for files without a version, which had one
/// address instead of a list of endpoints.
pub const STATE_VERSION: u32 = 1;

/// `state.json`: how a container's present or last run is. `create` writes the first one; then the monitor writes it, or,
/// where the monitor was killed, the next command that recovers the container under its lock.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunState {
    /// The version of this file's shape: [`STATE_VERSION`], or 0 where the file names none.
    #[serde(default)]
    pub version: u32,
    /// What the last writer knew.
    pub status: Status,
    /// The container was made by an `rrun run` that has not started it yet. If that process is killed, no other will start
    /// the container, and gc removes one of `--rm`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub starting: bool,
    /// PID 1 of the container as the host numbers it; `None` while the container does not run.
    pub process: Option<ProcessId>,
    /// The container's monitor; `None` while the container does not run.
    pub monitor: Option<ProcessId>,
    /// When the program was started: RFC 3339 in UTC, from [`now`]; empty before the first start.
    pub started_at: String,
    /// When the last run ended, in the same form; empty before the first end.
    pub finished_at: String,
    /// The exit code of the last run: the program's own, 128+n for signal n, 125 to 127 if the program could not be
    /// started, 255 if nobody saw its end.
    pub exit_code: i32,
    /// Why the container did not start, or why its exit code is unknown; empty otherwise.
    pub error: String,
    /// Whether the kernel's OOM killer ended a process of the container's cgroup in the last run.
    pub oom_killed: bool,
    /// The container's address on each of its networks; empty while it does not run.
    #[serde(default)]
    pub endpoints: Vec<Attached>,
    /// The ports as they are published: each host port is the one in use, never 0. Empty while the container does not
    /// run.
    pub ports: Vec<Port>,
    /// Docker's `RestartCount`, of restarts by a restart policy; this boxkit has none, so it stays 0.
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

/// Reported in place of an exit code that nobody saw.
const UNKNOWN: i32 = 255;

impl RunState {
    /// In place of a state.json whose text a power cut took.
    pub(super) fn lost() -> Self {
        Self {
            status: Status::Exited,
            exit_code: UNKNOWN,
            error: "a power cut took its state".to_owned(),
            ..Self::default()
        }
    }

    /// Records that the run ended now. `seen` is the exit code; `None` if no process was there to wait for it, which is
    /// recorded as 255 with the reason in `error`.
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

    /// Whether the container's PID 1 is alive. The process itself is looked at, since a killed monitor leaves a stale file.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused)
            && self.process.as_ref().is_some_and(ProcessId::is_alive)
    }

    /// Whether the log may still grow: PID 1 is alive, or the monitor is alive and has not written the last output yet.
    pub fn may_say_more(&self) -> bool {
        let lives = |process: &Option<ProcessId>| process.as_ref().is_some_and(ProcessId::is_alive);
        matches!(self.status, Status::Running | Status::Paused)
            && (lives(&self.process) || lives(&self.monitor))
    }

    /// Whether PID 1 is alive and the monitor is not: the next command that takes the container's lock starts a monitor.
    pub fn is_unattended(&self) -> bool {
        self.is_running() && !self.monitor.as_ref().is_some_and(ProcessId::is_alive)
    }
}
