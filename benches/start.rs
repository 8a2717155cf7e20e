//! How long a container takes to start and end, beside crun: whole processes, warm (back to back) and cold (after
//! 0.1 s of idle: what a person sees). Prints medians and ratios; judges nothing.
//!
//! `cargo bench -p rrun --bench start`, as root, with crun from Debian. crun does not know hybrid cgroups: it is
//! run in a private mount namespace without `/sys/fs/cgroup/unified`, and so are we, for the same view.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const WARM_RUNS: usize = 60;
const COLD_RUNS: usize = 20;
const IDLE: Duration = Duration::from_millis(100);

/// A command to be timed, by its words.
struct Subject {
    what: &'static str,
    argv: Vec<String>,
}

fn main() {
    if !rustix::process::geteuid().is_root() || which("crun").is_none() {
        println!("skip: start: root and crun are needed");
        return;
    }
    let place = tempfile::tempdir().expect("a temporary directory");
    let bin = Path::new(env!("CARGO_BIN_EXE_rrun"))
        .parent()
        .expect("a directory of binaries")
        .to_owned();
    let bench = Bench {
        bin,
        place: place.path().to_owned(),
    };
    bench.prepare();
    bench.compare(
        "run --net none",
        &bench.rrun(&["run", "--rm", "--net", "none", "bench", "true"]),
    );
    let bridged = bench.rrun(&["run", "--rm", "-p", "127.0.0.1:39471:80", "bench", "true"]);
    bench.compare("run, bridged and published", &bridged);
    bench.exec();
    bench.run(&bench.rrun(&["gc"]).argv);
}

struct Bench {
    bin: PathBuf,
    place: PathBuf,
}

impl Bench {
    fn rrun(&self, words: &[&str]) -> Subject {
        let mut argv = vec![self.bin.join("rrun").display().to_string()];
        argv.extend(words.iter().map(|word| (*word).to_owned()));
        Subject { what: "rrun", argv }
    }

    fn crun(words: &[&str]) -> Subject {
        let words = words.join(" ");
        let inside = format!("umount /sys/fs/cgroup/unified 2>/dev/null; exec crun {words}");
        // The shell and unshare cost crun 1 ms that is not its own: it is measured apart and taken off.
        Subject {
            what: "crun",
            argv: ["unshare", "-m", "sh", "-c", &inside]
                .map(str::to_owned)
                .to_vec(),
        }
    }

    fn prepare(&self) {
        let runpack = self.bin.join("runpack");
        let runpack = runpack.to_str().expect("a path in UTF-8");
        let pack = ["pack", "-t", "bench", "--bin", "true", "sleep"];
        self.run(&[&[runpack], pack.as_slice()].concat());
        let bundle = self.place.join("bundle");
        std::fs::create_dir(&bundle).expect("a directory for the bundle");
        let rootfs = bundle.join("rootfs");
        self.run(&[
            runpack,
            "unpack",
            "bench",
            rootfs.to_str().expect("a path in UTF-8"),
        ]);
        self.run(&["sh", "-c", &format!("cd {} && crun spec", bundle.display())]);
        let config = bundle.join("config.json");
        let text = std::fs::read_to_string(&config).expect("crun's spec");
        let mut spec: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        spec["process"]["terminal"] = false.into();
        spec["process"]["args"] = serde_json::json!(["true"]);
        std::fs::write(&config, spec.to_string()).expect("a bundle");
        spec["process"]["args"] = serde_json::json!(["sleep", "1000"]);
        let sleeper = self.place.join("sleeper");
        std::fs::create_dir(&sleeper).expect("a directory for the bundle");
        spec["root"]["path"] = rootfs.display().to_string().into();
        std::fs::write(sleeper.join("config.json"), spec.to_string()).expect("a bundle");
    }

    fn compare(&self, title: &str, ours: &Subject) {
        let bundle = self.place.join("bundle");
        let peer = Self::crun(&[
            "run",
            "-b",
            &bundle.display().to_string(),
            &format!("bk{}", std::process::id()),
        ]);
        self.report(title, ours, &peer);
    }

    fn exec(&self) {
        let id = format!("bks{}", std::process::id());
        let name = format!("--name={id}");
        self.run(
            &self
                .rrun(&[
                    "run", "-d", "--net", "none", &name, "bench", "sleep", "1000",
                ])
                .argv,
        );
        let sleeper = self.place.join("sleeper").display().to_string();
        self.run(&Self::crun(&["run", "-d", "-b", &sleeper, &id]).argv);
        let (ours, peer) = (
            self.rrun(&["exec", &id, "true"]),
            Self::crun(&["exec", &id, "true"]),
        );
        self.report("exec", &ours, &peer);
        self.run(&Self::crun(&["delete", "-f", &id]).argv);
        self.run(&self.rrun(&["rm", "-f", &id]).argv);
    }

    fn report(&self, title: &str, ours: &Subject, peer: &Subject) {
        let wrapper: Vec<String> = [
            "unshare",
            "-m",
            "sh",
            "-c",
            "umount /sys/fs/cgroup/unified 2>/dev/null; exec true",
        ]
        .map(str::to_owned)
        .to_vec();
        for (kind, runs, idle) in [
            ("warm", WARM_RUNS, Duration::ZERO),
            ("cold", COLD_RUNS, IDLE),
        ] {
            // In turn, so that a machine that grows slower does so for both.
            let (mut a, mut b, mut w) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..runs {
                a.push(self.time(&ours.argv, idle));
                b.push(self.time(&peer.argv, idle));
                w.push(self.time(&wrapper, idle));
            }
            let (a, b, w) = (median(&mut a), median(&mut b), median(&mut w));
            let b = b.saturating_sub(w);
            let ratio = a.as_secs_f64() / b.as_secs_f64();
            println!(
                "{title:<28} {kind}  {} {a:>9.2?}  {} {b:>9.2?}  ratio {ratio:.2}",
                ours.what, peer.what
            );
        }
    }

    fn time(&self, argv: &[String], idle: Duration) -> Duration {
        std::thread::sleep(idle);
        let begun = Instant::now();
        self.run(argv);
        begun.elapsed()
    }

    fn run<S: AsRef<std::ffi::OsStr>>(&self, argv: &[S]) {
        let status = Command::new(&argv[0])
            .args(&argv[1..])
            .env("BOXKIT_ROOT", self.place.join("root"))
            .env("BOXKIT_RUN", self.place.join("run"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .expect("the command is installed");
        assert!(status.success(), "{:?} failed: {status}", argv[0].as_ref());
    }
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn which(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|dir| dir.join(name))
        .find(|path| path.exists())
}
