//! Whole commands timed beside their peers: criterion runs each, and a row of a table says the medians and their ratio.
//!
//! Warm is back to back; cold comes after 0.1 s of idle, which is what a person sees. A subject is a list of commands,
//! run one after the other and timed as one. Ours come from the directory of the command under test.

#![allow(dead_code)] // each of the benches that include this uses a part of it

use std::cell::RefCell;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode};

const IDLE: Duration = Duration::from_millis(100);
const SAMPLES: usize = 10;

const COMMANDS: [&str; 7] = [
    "rnetns", "rveth", "rbridge", "rcgroup", "rmount", "runpack", "rrun",
];

/// Commands timed as one, with what must be done before each time, untimed.
pub struct Subject {
    pub name: &'static str,
    commands: Vec<Vec<String>>,
    before: Vec<Vec<String>>,
    env: Vec<(&'static str, PathBuf)>,
}

impl Subject {
    /// `lines` are commands of plain words.
    pub fn new(name: &'static str, lines: &[String]) -> Self {
        Self {
            name,
            commands: lines.iter().map(|line| words(line)).collect(),
            before: Vec::new(),
            env: Vec::new(),
        }
    }

    /// Done before each time, and not timed.
    pub fn before(mut self, lines: &[String]) -> Self {
        self.before = lines.iter().map(|line| words(line)).collect();
        self
    }

    /// One command whose last word is a script for sh.
    pub fn script(name: &'static str, argv: &[&str]) -> Self {
        let mut subject = Self::new(name, &[]);
        subject.commands = vec![argv.iter().map(|word| (*word).to_owned()).collect()];
        subject
    }

    pub fn on(mut self, host: &Place) -> Self {
        self.env = host.env();
        self
    }

    fn once(&self) -> Duration {
        self.before.iter().for_each(|argv| self.run(argv));
        let begun = Instant::now();
        self.commands.iter().for_each(|argv| self.run(argv));
        begun.elapsed()
    }

    fn run(&self, argv: &[String]) {
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]).envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let status = command.status().expect("the command is installed");
        assert!(status.success(), "{argv:?}: {status}");
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// Roots of our own; the run root on a tmpfs, as /run is.
pub struct Place {
    root: tempfile::TempDir,
    run: tempfile::TempDir,
    bin: PathBuf,
}

impl Place {
    /// `command` is the one under test: its siblings are beside it. All are installed, as their peers are: what a linker
    /// has written lies in small pieces in the page cache, and each costs a page fault.
    pub fn new(command: &str) -> Self {
        let built = Path::new(command)
            .parent()
            .expect("a directory of binaries");
        let root = tempfile::tempdir().expect("a temporary directory");
        let bin = root.path().join("bin");
        std::fs::create_dir(&bin).expect("a directory in it");
        for name in COMMANDS {
            let (from, to) = (built.join(name), bin.join(name));
            let Ok(program) = std::fs::read(&from) else {
                continue;
            };
            std::fs::write(&to, program).expect("room for our commands");
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&to, mode).expect("a file of ours");
        }
        Self {
            root,
            run: tempfile::tempdir_in("/dev/shm").expect("a directory on a tmpfs"),
            bin,
        }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// The path of one of our commands.
    pub fn ours(&self, name: &str) -> String {
        let path = self.bin.join(name);
        assert!(
            path.exists(),
            "{path:?} is missing: cargo build --release --workspace"
        );
        path.display().to_string()
    }

    fn env(&self) -> Vec<(&'static str, PathBuf)> {
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        path.push(":");
        path.push(&self.bin);
        vec![
            ("BOXKIT_ROOT", self.path().join("root")),
            ("BOXKIT_RUN", self.run.path().join("run")),
            ("PATH", path.into()),
        ]
    }

    /// A script of preparation or of cleaning up, which must go well.
    pub fn sh(&self, script: &str) {
        let status = Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.path())
            .envs(self.env())
            .stdout(Stdio::null())
            .status();
        assert!(status.is_ok_and(|status| status.success()), "{script}");
    }
}

/// Whether everything named is installed and we are root; says what is missing.
pub fn can(bench: &str, programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = programs
        .iter()
        .find(|name| !std::env::split_paths(&path).any(|dir| dir.join(name).exists()));
    if !rustix::process::geteuid().is_root() {
        println!("skip: {bench}: root is needed");
        return false;
    }
    if let Some(missing) = missing {
        println!("skip: {bench}: no {missing} on this machine");
        return false;
    }
    true
}

/// Times `ours` beside each of `peers`, warm and, with `cold`, cold too; prints a row for each.
pub fn beside(what: &str, ours: &Subject, peers: &[&Subject], cold: bool) {
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    let kinds = [("warm", Duration::ZERO), ("cold", IDLE)];
    for (kind, idle) in kinds.into_iter().take(1 + usize::from(cold)) {
        let mut group = criterion.benchmark_group(format!("{what}, {kind}"));
        group
            .sample_size(SAMPLES)
            .sampling_mode(SamplingMode::Flat)
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(400));
        let mut median_of = |subject: &Subject| {
            let times = RefCell::new(Vec::new());
            group.bench_function(subject.name, |bencher| {
                bencher.iter_custom(|count| {
                    let each = (0..count).map(|_| {
                        std::thread::sleep(idle);
                        let time = subject.once();
                        times.borrow_mut().push(time);
                        time
                    });
                    each.sum()
                });
            });
            median(times.into_inner())
        };
        let own = median_of(ours);
        for peer in peers {
            let theirs = median_of(peer);
            println!(
                "| {what} | {kind} | {:.2} | {} | {:.2} | {:.2} |",
                own.as_secs_f64() * 1e3,
                peer.name,
                theirs.as_secs_f64() * 1e3,
                own.as_secs_f64() / theirs.as_secs_f64(),
            );
        }
        group.finish();
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
