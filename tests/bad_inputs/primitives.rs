//! The six primitives as a tired author of shell scripts types them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::{Row, all, named, own_host};

const BAD: &[Row] = &[
    // rnetns
    (
        "rnetns add blue",
        1,
        "rnetns: creating network namespace \"blue\": that name is taken\nhint: rnetns del blue frees it",
    ),
    (
        "rnetns add a/b",
        2,
        "rnetns: naming network namespace \"a/b\": it has a slash",
    ),
    (
        "rnetns add pid:7",
        2,
        "rnetns: naming network namespace \"pid:7\": it stands for a process's namespace, which has no name",
    ),
    (
        "rnetns del red",
        1,
        "rnetns: opening network namespace \"red\": no such namespace\nhint: rnetns list shows them; rnetns add red makes it",
    ),
    (
        "rnetns del pid:1",
        2,
        "rnetns: naming network namespace \"pid:1\": it stands for a process's namespace, which has no name",
    ),
    (
        "rnetns exec red ip link",
        125,
        "rnetns: opening network namespace \"red\": no such namespace\nhint: rnetns list shows them; rnetns add red makes it",
    ),
    (
        "rnetns exec blue",
        125,
        "rnetns: missing <COMMAND>...\nhint: see rnetns exec --help",
    ),
    (
        "rnetns exec blue nosuch",
        127,
        "rnetns: executing \"nosuch\": no such command on PATH",
    ),
    (
        "rnetns exec blue ./file",
        126,
        "rnetns: executing \"./file\": it is not executable\nhint: chmod +x ./file",
    ),
    (
        "rnetns exec blue ./odd",
        126,
        "rnetns: executing \"./odd\": its interpreter \"/no/such/shell\" is not on this machine",
    ),
    (
        "rnetns exec blue ./dos",
        126,
        "rnetns: executing \"./dos\": its first line asks for \"/bin/sh\" followed by a carriage return\nhint: the script has Windows line ends: sed -i 's/\\r$//' ./dos",
    ),
    (
        "rnetns exce",
        2,
        "rnetns: \"exce\" is not a verb of rnetns\nhint: did you mean \"exec\"? See rnetns --help",
    ),
    (
        "echo '{\"kind\":\"link\",\"name\":\"v0\"}' | rnetns del -",
        2,
        "rnetns: reading \"v0\" from standard input: it is a link, not a netns",
    ),
    // rveth
    (
        "rveth add a@red b",
        1,
        "rveth: opening network namespace \"red\": no such namespace\nhint: rnetns list shows them; rnetns add red makes it",
    ),
    (
        "rveth add a",
        2,
        "rveth: adding link \"a\": its other end is missing\nhint: rveth add A B, or rveth add A --macvlan PARENT",
    ),
    (
        "rveth add a a",
        2,
        "rveth: creating link \"a\": both ends have the same name in the same namespace",
    ),
    (
        "rveth add v0 b",
        1,
        "rveth: creating link \"v0\": that name is taken there\nhint: choose another name, or rveth del v0",
    ),
    (
        "rveth add a v1@blue",
        1,
        "rveth: creating link \"v1@blue\": that name is taken there\nhint: choose another name, or rveth del v1@blue",
    ),
    (
        "rveth add a b --addr 10.1.0.1",
        2,
        "rveth: invalid value '10.1.0.1' for '--addr <CIDR>': reading address \"10.1.0.1\": it has no prefix length, such as /24\nhint: see rveth add --help",
    ),
    (
        "rveth add a b --mtu 1",
        2,
        "rveth: invalid value '1' for '--mtu <MTU>': 1 is not in 68..=65535\nhint: see rveth add --help",
    ),
    (
        "rveth add a b --gw 10.9.9.9",
        1,
        "rveth: adding the default route through \"10.9.9.9\": no address of the link is in its network\nhint: give the link an address in the gateway's network",
    ),
    (
        "rveth add sixteencharacter b",
        2,
        "rveth: naming link \"sixteencharacter\": an interface name has at most 15 characters\nhint: \"sixteencharacte\" would do",
    ),
    (
        "rveth add m --macvlan lo",
        1,
        "rveth: creating link \"m\": \"lo\" cannot carry a macvlan: it is no Ethernet device\nhint: name an Ethernet device: a loopback is none",
    ),
    (
        "rveth del lo",
        1,
        "rveth: deleting link \"lo\": it is a loopback, neither a veth nor a macvlan",
    ),
    (
        "rveth del br0",
        1,
        "rveth: deleting link \"br0\": it is a bridge, neither a veth nor a macvlan\nhint: rbridge del br0",
    ),
    (
        "rveth set a --up",
        1,
        "rveth: changing link \"a\": no such link\nhint: rveth list shows those that are there",
    ),
    // rbridge
    (
        "rbridge add br1 --addr 10.0.0.1",
        2,
        "rbridge: invalid value '10.0.0.1' for '--addr <CIDR>': reading address \"10.0.0.1\": it has no prefix length, such as /24\nhint: see rbridge add --help",
    ),
    (
        "rbridge add br0",
        1,
        "rbridge: making bridge \"br0\": that name is taken\nhint: choose another name; ip -d link show br0 tells what has this one",
    ),
    (
        "rbridge add br1@red",
        1,
        "rbridge: opening network namespace \"red\": no such namespace\nhint: rnetns list shows them; rnetns add red makes it",
    ),
    (
        "rbridge show br0@blue",
        1,
        "rbridge: finding bridge \"br0@blue\": no such bridge\nhint: rbridge list --netns blue shows them; rbridge add br0@blue makes it",
    ),
    (
        "rbridge attach br0 a",
        1,
        "rbridge: finding link \"a\": no such link\nhint: rveth list shows those that are there",
    ),
    (
        "rbridge attach br0 lo",
        1,
        "rbridge: attaching link \"lo\" to bridge \"br0\": the kernel takes no such link as a port\nhint: a port is an Ethernet device: a loopback is none",
    ),
    (
        "rbridge detach v0",
        1,
        "rbridge: detaching link \"v0\": it is on no bridge\nhint: rbridge list shows which link is on which bridge",
    ),
    (
        "rbridge del v0",
        1,
        "rbridge: using bridge \"v0\": it is a veth, not a bridge",
    ),
    (
        "rbridge nat br0 maybe",
        2,
        "rbridge: invalid value 'maybe' for '<SWITCH>' [possible values: on, off]\nhint: see rbridge nat --help",
    ),
    (
        "rbridge publish 8080:80",
        2,
        "rbridge: reading port \"8080:80\": it is [IP:]PORT:ADDRESS:PORT[/udp]",
    ),
    (
        "rbridge publish 8080:10.0.0.2:80:80",
        2,
        "rbridge: reading port \"8080:10.0.0.2:80:80\": it is [IP:]PORT:ADDRESS:PORT[/udp]",
    ),
    (
        "rbridge publish 8080:[fd00::2]:80",
        2,
        "rbridge: reading port \"8080:[fd00::2]:80\": the container's address is not an IPv4 address",
    ),
    (
        "rbridge publish 8080:10.99.0.2:80",
        1,
        "rbridge: publishing port \"8080:10.99.0.2:80/tcp\": no bridge with translation on has 10.99.0.2 in its network\nhint: rbridge list shows the networks; rbridge nat BRIDGE on switches translation on",
    ),
    (
        "rbridge unpublish 8080",
        1,
        "rbridge: unpublishing port \"8080\": it is not published\nhint: rbridge list shows those that are",
    ),
    // rcgroup
    (
        "rcgroup create $g",
        1,
        "rcgroup: creating cgroup \"{g}\": it exists\nhint: rcgroup set {g} changes it; rcgroup del {g} removes it",
    ),
    (
        "rcgroup create -- -x",
        2,
        "rcgroup: naming cgroup \"-x\": it begins with a dash",
    ),
    (
        "rcgroup create $g/a -m lots",
        2,
        "rcgroup: reading size \"lots\": it is a number and a unit, like 100m",
    ),
    (
        "rcgroup create $g/a --cpus 0.001",
        2,
        "rcgroup: reading number of CPUs \"0.001\": 0.01 is the least",
    ),
    (
        "rcgroup exec $g/a true",
        125,
        "rcgroup: finding cgroup \"{g}/a\": no such cgroup\nhint: rcgroup list shows them",
    ),
    (
        "rcgroup exec $g nosuch",
        127,
        "rcgroup: executing \"nosuch\": no such command on PATH",
    ),
    (
        "rcgroup get $g memory.nosuch",
        1,
        "rcgroup: reading \"memory.nosuch\" of cgroup \"{g}\": no such file\nhint: ls {dirs} shows what there is",
    ),
    (
        "rcgroup del $g/a",
        1,
        "rcgroup: finding cgroup \"{g}/a\": no such cgroup\nhint: rcgroup list shows them",
    ),
    // rmount
    (
        "rmount overlay m",
        2,
        "rmount: missing --lower <DIR>\nhint: see rmount overlay --help",
    ),
    (
        "rmount overlay -l l1 -l l2 new",
        1,
        "rmount: mounting an overlay at \"{dir}/new\": mount point \"{dir}/new\" does not exist\nhint: --mkdir makes it",
    ),
    (
        "rmount bind nosuch m",
        1,
        "rmount: binding \"{dir}/nosuch\": no such file or directory\nhint: --create=dir or --create=file makes it",
    ),
    (
        "rmount bind l1 new",
        1,
        "rmount: binding at \"{dir}/new\": no such file or directory\nhint: --mkdir makes it",
    ),
    (
        "rmount bind file m",
        1,
        "rmount: binding at \"{dir}/m\": the source is a file and this is a directory: are you trying to mount a file onto a directory?",
    ),
    (
        "rmount tmpfs --size 1z m",
        2,
        "rmount: invalid value '1z' for '--size <SIZE>': the units are b, k, m, g, t and p\nhint: see rmount tmpfs --help",
    ),
    (
        "rmount tmpfs new",
        1,
        "rmount: mounting a tmpfs at \"{dir}/new\": no such file or directory\nhint: --mkdir makes it",
    ),
    (
        "rmount umount m",
        1,
        "rmount: unmounting \"{dir}/m\": nothing is mounted there",
    ),
    (
        "rmount list --under nosuch",
        1,
        "rmount: listing mounts beneath \"{dir}/nosuch\": no such file or directory",
    ),
    (
        "rmount diff nosuch",
        1,
        "rmount: reading changes of \"{dir}/nosuch\": no such file or directory",
    ),
];

const PREPARE: &str = r"
mkdir l1 l2 m; echo x >file; printf '#!/no/such/shell\n' >odd; printf '#!/bin/sh\r\n' >dos; chmod +x odd dos
rnetns add blue; rveth add v0 v1@blue; rbridge add br0 --addr 10.0.0.1/24; rbridge nat br0 on
rcgroup create $g; rnetns add red; rnetns del red; rrun gc; ls run/journals";

#[test]
fn each_is_told_its_cause_and_leaves_nothing() {
    let host = own_host();
    host.ok(&named(&host, PREPARE));
    let done = catch_unwind(AssertUnwindSafe(|| all(&host, BAD)));
    host.ok(&named(&host, "rcgroup del $g"));
    if let Err(panic) = done {
        resume_unwind(panic);
    }
}

/// What prints to a pipe that nobody reads ends quietly.
#[test]
fn a_closed_pipe_ends_quietly() {
    let host = own_host();
    host.ok("rnetns add blue; rveth add v0 v1@blue; rbridge add br0");
    for list in [
        "rnetns list",
        "rveth list --all",
        "rbridge list",
        "rcgroup list",
        "rmount list",
        "rrun ps -a",
    ] {
        let (code, out, err) = host.outcome(&format!("{{ {list}; echo $? >&2; }} | head -n0"));
        assert_eq!((code, out.as_str(), err.as_str()), (0, "", "0\n"), "{list}");
        let (code, _, err) = host.outcome(&format!("{list} >/dev/full"));
        let tool = list.split(' ').next().unwrap();
        assert_eq!(
            (code, err),
            (
                1,
                format!("{tool}: writing to standard output: No space left on device\n")
            ),
            "{list}"
        );
    }
}
