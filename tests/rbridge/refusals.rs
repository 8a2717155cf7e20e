//! What is refused, with which words, and that nothing is left of it.

use crate::Host;

/// Verb, exit code, what is said. BUSY is a port that this process, NAME with PID ME, listens on.
const BAD: &[(&str, i32, &str)] = &[
    (
        "add br-0123456789abc",
        2,
        "naming link \"br-0123456789abc\": an interface name has at most 15 characters\n",
    ),
    // One kind of fault, one exit code, whatever the verb: a hint that makes it would fail.
    (
        "del a/b",
        2,
        "naming link \"a/b\": an interface name has no blank, slash or colon\n",
    ),
    (
        "nat a:b on",
        2,
        "naming link \"a:b\": an interface name has no blank, slash or colon\n",
    ),
    (
        "attach a/b c",
        2,
        "naming link \"a/b\": an interface name has no blank, slash or colon\n",
    ),
    (
        "add br0",
        1,
        "making bridge \"br0\": that name is taken\nhint: choose another name; ip -d link show br0 tells what has this one\n",
    ),
    (
        "add br9 --addr 10.0.0.1",
        2,
        "invalid value '10.0.0.1' for '--addr <CIDR>': reading address \"10.0.0.1\": it has no prefix length, such as /24\nhint: see rbridge add --help\n",
    ),
    (
        "add br9 --addr 10.9.0.1/24 --addr 10.9.0.1/24",
        1,
        "adding address \"10.9.0.1/24\" to link \"br9\": ",
    ),
    (
        "add br9 --addr 10.9.0.1/0",
        2,
        "using address \"10.9.0.1/0\" for a bridge: its network would be all addresses that there are\n",
    ),
    (
        "add br9 --addr 224.0.0.1/24",
        2,
        "using address \"224.0.0.1/24\" for a bridge: no single host on a network has that address\n",
    ),
    (
        "set br0 --addr 10.9.0.255/24",
        2,
        "using address \"10.9.0.255/24\" for a bridge: it is the network's broadcast address\n",
    ),
    (
        "set br0 --addr 10.9.0.1/24 --del-addr 10.77.0.1/24 --del-addr 10.10.0.1/24",
        1,
        "removing address \"10.10.0.1/24\" from bridge \"br0\": it has no such address\nhint: rbridge show br0 lists those it has\n",
    ),
    (
        "set br0",
        2,
        "setting up a bridge: nothing is to be changed\nhint: name --addr or --del-addr\n",
    ),
    (
        "default --addr 10.9.0.1/31",
        2,
        "choosing 10.9.0.1/31 for the containers' network: it has no address for a container\n",
    ),
    (
        "default --addr 10.9.0.1/0",
        2,
        "using address \"10.9.0.1/0\" for a bridge: ",
    ),
    (
        "del nope",
        1,
        "finding bridge \"nope\": no such bridge\nhint: rbridge list shows them; rbridge add nope makes it\n",
    ),
    (
        "del v0",
        1,
        "using bridge \"v0\": it is a veth, not a bridge\n",
    ),
    (
        "show lo",
        1,
        "using bridge \"lo\": it is a loopback, not a bridge\n",
    ),
    (
        "attach br0 nope",
        1,
        "finding link \"nope\": no such link\nhint: rveth list shows those that are there\n",
    ),
    (
        "attach br0 lo",
        1,
        "attaching link \"lo\" to bridge \"br0\": the kernel takes no such link as a port\nhint: a port is an Ethernet device: a loopback is none\n",
    ),
    (
        "attach br0 plain",
        1,
        "attaching link \"plain\" to bridge \"br0\": it is a bridge itself\nhint: a cable joins two bridges: rveth add, then attach an end to each\n",
    ),
    (
        "detach v0",
        1,
        "detaching link \"v0\": it is on no bridge\nhint: rbridge list shows which link is on which bridge\n",
    ),
    (
        "nat plain on",
        1,
        "translating for bridge \"plain\": it has no IPv4 address to be the gateway\nhint: rbridge set plain --addr 10.99.0.1/24 gives it one\n",
    ),
    (
        "nat plain off",
        1,
        "switching translation for bridge \"plain\" off: it is not on\nhint: rbridge list shows where it is on\n",
    ),
    (
        "publish 8080:10.77.0.3:80",
        1,
        "publishing port \"8080/tcp\": published port \"8080:10.77.0.2:80/tcp\" has it\nhint: stop that one, or choose another port\n",
    ),
    (
        "publish 127.0.0.1:8080:10.77.0.3:80",
        1,
        "publishing port \"127.0.0.1:8080/tcp\": published port \"8080:10.77.0.2:80/tcp\" has it\nhint: stop that one, or choose another port\n",
    ),
    (
        "publish BUSY:10.77.0.3:80",
        1,
        "publishing port \"BUSY/tcp\": \"NAME\" (PID ME) has it\nhint: stop that one, or choose another port\n",
    ),
    (
        "publish 81:10.88.0.3:80",
        1,
        "publishing port \"81:10.88.0.3:80/tcp\": no bridge with translation on has 10.88.0.3 in its network\nhint: rbridge list shows the networks; rbridge nat BRIDGE on switches translation on\n",
    ),
    (
        "publish 192.0.2.9:81:10.77.0.3:80",
        1,
        "publishing port \"192.0.2.9:81/tcp\": Cannot assign requested address\nhint: the address before the port must be one of this host's\n",
    ),
    (
        "publish [::1]:81:10.77.0.3:80",
        2,
        "reading port \"[::1]:81:10.77.0.3:80\": the kernel cannot translate IPv6",
    ),
    (
        "publish 81",
        2,
        "reading port \"81\": it is [IP:]PORT:ADDRESS:PORT[/udp]\n",
    ),
    (
        "unpublish 9090",
        1,
        "unpublishing port \"9090\": it is not published\nhint: rbridge list shows those that are\n",
    ),
    (
        "list --netns nowhere",
        1,
        "opening network namespace \"nowhere\": no such namespace\n",
    ),
];

#[test]
fn what_goes_wrong_is_said_in_one_line_and_leaves_nothing() {
    let host = Host::new();
    host.sh("ip link add v0 type veth peer name v1");
    host.ok("add plain");
    host.ok("add br0 --addr 10.77.0.1/24");
    host.ok("nat br0 on");
    host.ok("publish 8080:10.77.0.2:80");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = listener.local_addr().unwrap().port();
    let me = std::process::id();
    let name = std::fs::read_to_string("/proc/self/comm").unwrap();
    let before = host.state();
    let fill = |text: &str| {
        text.replace("BUSY", &busy.to_string())
            .replace("NAME", name.trim_end())
            .replace("ME", &me.to_string())
    };
    for (args, code, said) in BAD {
        let (args, code, said) = (&fill(args), *code, fill(said));
        let (got, text) = host.fails(args);
        assert_eq!(got, code, "{args}: {text}");
        assert!(
            text.starts_with(&format!("rbridge: {said}")),
            "{args}: {text}"
        );
        assert!(text.lines().count() <= 2, "{text}");
    }
    assert_eq!(host.state(), before);
    let journals = host.0.path("run/journals");
    assert_eq!(std::fs::read_dir(journals).map_or(0, Iterator::count), 0);
    host.ok("del nope --force");
    host.ok("unpublish 9090 --force");
}
