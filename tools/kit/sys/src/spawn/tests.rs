use super::*;

/// Runs `body` in a child, which has one thread as the program of a test has not, and returns its exit code.
fn alone(body: impl FnOnce() -> i32) -> Option<i32> {
    clone_plain(body).unwrap().wait().unwrap().code()
}

#[test]
fn a_process_of_several_threads_is_refused() {
    let stop = std::sync::Barrier::new(2);
    std::thread::scope(|scope| {
        scope.spawn(|| stop.wait());
        let refused = Spawn::new(["true"]).spawn().unwrap_err();
        assert!(matches!(refused, SpawnError::Threads(2..)), "{refused}");
        stop.wait();
    });
}

#[test]
fn it_has_the_streams_environment_directory_and_namespaces_that_were_asked_for() {
    let (mut reads, writes) = io::pipe().unwrap();
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    let script = "echo $$; echo \"$X-$HOME\"; pwd; exit 7";
    let code = alone(|| {
        let child = Spawn::new(["sh", "-c", script])
            .stdio(Stdio::Fds([null(), writes.into(), null()]))
            .clear_env()
            .env("PATH", "/usr/bin:/bin")
            .env("X", "x")
            .cwd("/proc")
            .unshare(UnshareFlags::NEWPID | UnshareFlags::NEWUTS)
            .spawn();
        child.unwrap().wait().unwrap().code().unwrap()
    });
    let mut text = String::new();
    reads.read_to_string(&mut text).unwrap();
    assert_eq!((code, text.as_str()), (Some(7), "1\nx-\n/proc\n"));
}

#[test]
fn a_root_of_its_own_is_all_that_it_sees() {
    let root = tempfile::tempdir().unwrap();
    let code = alone(|| {
        // Nothing of the host's is there to be executed, and the shell's builtins are not either.
        let spawned = Spawn::new(["/bin/sh"]).root(root.path()).spawn();
        i32::from(spawned.unwrap_err().exit_code())
    });
    assert_eq!(code, Some(127));
}

#[test]
fn what_does_not_start_says_why_and_leaves_no_child() {
    for (program, root, exit, said) in [
        (
            "no-such-command",
            None,
            127,
            "executing \"no-such-command\": no such command on PATH",
        ),
        (
            "/etc/passwd",
            None,
            126,
            "executing \"/etc/passwd\": it is not executable",
        ),
        (
            "sh",
            Some("/no/root"),
            125,
            "making /no/root its root: No such file or directory",
        ),
    ] {
        let code = alone(|| {
            let spawn = Spawn {
                root: root.map(PathBuf::from),
                ..Spawn::new([program])
            };
            let failed = spawn.spawn().unwrap_err();
            let childless = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
            let right = failed.to_string() == said && childless.is_err();
            i32::from(right) * i32::from(failed.exit_code())
        });
        assert_eq!(code, Some(exit), "{program}");
    }
}
