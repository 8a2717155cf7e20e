//! Files of other boxkits: an earlier one's are read as if this one had written them, a later one's refused in words.

use kit_test::Host;

/// A container as version 0 wrote it: limits, user and `--init` in container.json, one network, no cgroup in config.json.
#[test]
fn what_an_earlier_boxkit_made_runs_with_its_limits() {
    let host = Host::new();
    host.ok("rrun create --name box -m 64m --pids-limit 50 tools sh -c \
             'cat /sys/fs/cgroup/*/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null; id -u; ip -4 -o addr show eth0 | grep -c inet; sleep 300'
             cd root/containers/*/
             jq 'del(.version,.endpoints) | .net=\"bridge\" | .user=\"65534\" | .init=true
                 | .limits={memory_bytes:67108864,memory_swap_bytes:null,nano_cpus:null,pids:50}' container.json >c && mv c container.json
             jq 'del(.linux.cgroupsPath,.linux.resources,.annotations[\"org.boxkit.user\"])' config.json >c && mv c config.json
             jq 'del(.version,.endpoints) | .address=null | .gateway=null' state.json >c && mv c state.json");
    host.ok("rrun start box");
    let log = host.until("rrun logs box | grep -x 1 >/dev/null && rrun logs box");
    assert_eq!(log, "67108864\n65534\n1\n");
    let inspected = host.ok("rrun inspect -f '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.Init}} {{.HostConfig.NetworkMode}} {{.Config.User}}' box");
    assert_eq!(inspected, "67108864 50 true bridge 65534\n");
    assert_eq!(host.ok("rrun exec box id -u"), "65534\n");
    host.ok("rrun rm -f box");
}

#[test]
fn what_a_later_boxkit_wrote_is_refused_in_words() {
    let host = Host::new();
    host.ok("rrun create --name box tools id; cd root/containers/*/; for f in container state; do jq '.version=99' $f.json >$f.99; cp $f.json $f.0; done");
    for file in ["container", "state"] {
        host.ok(&format!(
            "cd root/containers/*/ && cp {file}.99 {file}.json"
        ));
        let (code, out, said) = host.outcome("rrun start box");
        assert_eq!((code, out.as_str()), (1, ""), "{file}");
        let path = host.ok(&format!("ls -d $PWD/root/containers/*/{file}.json"));
        let line = format!(
            "rrun: reading {:?}: it is of version 99, and this boxkit knows 1\nhint: a later boxkit wrote it: use that one\n",
            path.trim()
        );
        assert_eq!(said, line);
        host.ok(&format!("cd root/containers/*/ && cp {file}.0 {file}.json"));
    }
    host.ok("rrun start box && rrun wait box >/dev/null");
}

/// A frame as a client of protocol 9 sends it, by socat: the monitor says so, and goes on.
#[test]
fn a_client_of_a_later_protocol_is_told_of_the_monitors() {
    let host = Host::new();
    host.ok("rrun run -d --name box --net none tools sleep 300");
    let script = "cd run/containers/*/ && printf 'a\\002\\000\\000\\000\\001\\011' | socat -t 5 - UNIX-CONNECT:monitor.sock | tr -cd '[:print:]'";
    let said = host.ok(script);
    let wanted =
        "the container's monitor is of an earlier boxkit, which speaks version 1 and not 9";
    assert!(said.starts_with('F') && said.contains(wanted), "{said}");
    assert!(said.contains("rrun restart"), "{said}");
    assert_eq!(host.ok("rrun exec box hostname | wc -l"), "1\n");
    host.ok("rrun rm -f box");
}

/// XFS leaves such a file if the power goes between an end and its fdatasync(2).
#[test]
fn an_empty_state_is_a_run_whose_exit_code_nobody_saw() {
    let host = Host::new();
    host.ok("rrun create --name box tools id; : >$(ls -d root/containers/*)/state.json");
    let seen = "rrun inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}' box";
    assert_eq!(host.ok(seen), "exited 255 a power cut took its state\n");
    assert_eq!(host.ok("rrun start -a box | grep -c uid="), "1\n");
    assert_eq!(
        host.ok("rrun ps -a --format '{{.Status}}' | cut -c1-10; rrun rm box"),
        "Exited (0)\nbox\n"
    );
}
