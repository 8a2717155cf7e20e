//! Where a row works: roots of its own, on a tmpfs or on the disk, and our commands as they are installed.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sched::{CloneFlags, unshare};
use nix::sys::statfs::{EXT4_SUPER_MAGIC, TMPFS_MAGIC, statfs};
use tempfile::TempDir;

use crate::args::Args;

/// The functions that a row's scripts may call.
const LIB: &str = include_str!("lib.sh");
const PEERS: &str = include_str!("../../scripts/lib/peers.sh");

pub const COMMANDS: [&str; 7] = [
    "rnetns", "rveth", "rbridge", "rcgroup", "rmount", "runpack", "rrun",
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    Memory,
    Disk,
}

/// What all rows share.
pub struct Host {
    /// Ours and the other build's, as they were given.
    pub bins: PathBuf,
    pub against: Option<PathBuf>,
    pub disk: PathBuf,
    memory: PathBuf,
    cache: PathBuf,
}

impl Host {
    pub fn new(args: &Args) -> Result<Self, String> {
        let whole = |dir: &Path| {
            dir.canonicalize()
                .map_err(|error| format!("no directory {}: {error}", dir.display()))
        };
        let made = |dir: &Path| {
            std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
            whole(dir)
        };
        if !nix::unistd::geteuid().is_root() {
            return Err("root is needed".to_owned());
        }
        let host = Self {
            bins: whole(&args.bins)?,
            against: args.against.as_deref().map(whole).transpose()?,
            disk: made(&args.disk)?,
            memory: whole(&args.memory)?,
            cache: made(&args.cache)?,
        };
        if host.kind(Medium::Memory) != "tmpfs" {
            return Err(format!(
                "{} is not a tmpfs: --memory DIR",
                host.memory.display()
            ));
        }
        Ok(host)
    }

    pub fn kind(&self, medium: Medium) -> &'static str {
        let dir = match medium {
            Medium::Memory => &self.memory,
            Medium::Disk => &self.disk,
        };
        match statfs(dir).map(|kind| kind.filesystem_type()) {
            Ok(EXT4_SUPER_MAGIC) => "ext4",
            Ok(TMPFS_MAGIC) => "tmpfs",
            _ => "another filesystem",
        }
    }
}

/// The directories of one row and one build. The run root is on the tmpfs, as /run is; so is what peers keep there.
/// Names are short: a socket's path has 107 characters.
pub struct Place {
    dir: TempDir,
    run: TempDir,
    bin: TempDir,
    cache: PathBuf,
    /// Nobody else's: a name of links, namespaces and containers.
    name: String,
    port: u32,
}

impl Place {
    /// All commands are installed, as their peers are: what a linker has written lies in small pieces in the page cache,
    /// and each costs a page fault.
    pub fn new(host: &Host, medium: Medium, bins: &Path, letter: &str) -> Result<Self, String> {
        let on = |dir: &Path| {
            let mut name = tempfile::Builder::new();
            name.prefix("bk").rand_bytes(6).tempdir_in(dir)
        };
        let dir = match medium {
            Medium::Memory => &host.memory,
            Medium::Disk => &host.disk,
        };
        let failed = |error: std::io::Error| format!("making a directory: {error}");
        let place = Self {
            dir: on(dir).map_err(failed)?,
            run: on(&host.memory).map_err(failed)?,
            bin: on(&host.disk).map_err(failed)?,
            cache: host.cache.clone(),
            name: format!("bk{}{letter}", std::process::id()),
            port: 20000 + 2 * (std::process::id() % 6000) + u32::from(letter == "b"),
        };
        for name in COMMANDS {
            let failed = |error| format!("no {name} in {}: {error}", bins.display());
            let program = std::fs::read(bins.join(name)).map_err(failed)?;
            let to = place.bin.path().join(name);
            std::fs::write(&to, program).map_err(failed)?;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&to, mode).map_err(failed)?;
        }
        // What scripts/bench clears away if we are killed.
        let root = place.dir.path().join("root").display().to_string();
        std::fs::write(place.run.path().join("root-is"), root).map_err(failed)?;
        Ok(place)
    }

    /// The words that rows use: `{dir}`, `{run}`, `{cache}`, `{n}`, `{port}`.
    pub fn fill(&self, text: &str) -> String {
        let path = |path: &Path| path.display().to_string();
        text.replace("{dir}", &path(self.dir.path()))
            .replace("{run}", &path(self.run.path()))
            .replace("{cache}", &path(&self.cache))
            .replace("{n}", &self.name)
            .replace("{port}", &self.port.to_string())
    }

    /// One of ours by its name, any other as a shell would find it.
    pub fn program(&self, name: &str) -> Result<PathBuf, String> {
        if COMMANDS.contains(&name) {
            return Ok(self.bin.path().join(name));
        }
        which(name).ok_or_else(|| format!("no {name} on this machine"))
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn env(&self) -> Vec<(&'static str, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        vec![
            ("BOXKIT_ROOT", self.fill("{dir}/root")),
            ("BOXKIT_RUN", self.fill("{run}/run")),
            ("DOCKER_HOST", self.fill("unix://{run}/d/sock")),
            ("PATH", format!("{}:{path}", self.bin.path().display())),
        ]
    }

    /// A script that is not timed, and must go well.
    pub fn sh(&self, script: &str) -> Result<(), String> {
        if script.is_empty() {
            return Ok(());
        }
        let status = self.shell(script).status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{status}: {}", self.fill(script))),
            Err(error) => Err(format!("sh: {error}")),
        }
    }

    /// What a script prints.
    pub fn printed(&self, script: &str) -> Result<String, String> {
        let output = self.shell(script).stdout(Stdio::piped()).output();
        let output = output.map_err(|error| format!("sh: {error}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn shell(&self, script: &str) -> Command {
        let whole = format!("{PEERS}\n{LIB}\n{}", self.fill(script));
        let mut command = Command::new("sh");
        command.args(["-euc", &whole]).current_dir(self.dir.path());
        command.envs(self.env());
        command.env("BENCH_RUN", self.run.path());
        command.env("BENCH_CACHE", &self.cache);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let left = "[ ! -d {run}/run ] || { rrun ps -aq | xargs -r rrun rm -f; rrun gc; }";
        if let Err(reason) = self.sh(left) {
            eprintln!("bench: clearing away: {reason}");
        }
    }
}

pub fn which(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut all = std::env::split_paths(&path).map(|dir| dir.join(name));
    all.find(|file| file.is_file())
}

/// A network namespace for this thread and those that it starts, with lo up.
pub fn own_network() -> Result<(), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|errno| format!("a network namespace: {errno}"))?;
    let status = Command::new("ip")
        .args(["link", "set", "lo", "up"])
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err("ip link set lo up failed".to_owned()),
    }
}
