//! What was given to a flag that is missing, as the words of sh that the way has for it.

use std::fmt::Write;
use std::net::IpAddr;

use box_ops::spec::sizes::parse_bytes;
use kit_plan::quote;
use kit_units::{NANO, cpus_text};

use super::again;
use crate::cli::typed::Typed;

/// Words of sh, of what a flag was given; `None` where that says nothing.
pub type Of = fn(&[&str], &Typed) -> Option<String>;

fn joined(words: impl IntoIterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.into_iter().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The part before the first colon.
fn head(value: &str) -> &str {
    value.split(':').next().unwrap_or(value)
}

pub(super) fn each(values: &[&str], _: &Typed) -> Option<String> {
    joined(values.iter().map(quote))
}

pub(super) fn last(values: &[&str], _: &Typed) -> Option<String> {
    values.last().map(quote)
}

pub(super) fn label(values: &[&str], _: &Typed) -> Option<String> {
    joined(values.iter().map(|value| format!("-l {}", quote(value))))
}

/// The host's address on the default bridge.
const GATEWAY: &str = "\"$(rbridge default | awk -F'[ /]+' 'NR == 2 { print $3 }')\"";

/// `NAME:IP` and `NAME:host-gateway` as lines of hosts(5).
pub(super) fn host(values: &[&str], _: &Typed) -> Option<String> {
    let line = |value: &&str| {
        let (name, addr) = value.split_once(['=', ':'])?;
        if name.is_empty() {
            return None;
        }
        if addr == "host-gateway" {
            return Some(format!("{GATEWAY}{}", quote(format!(" {name}"))));
        }
        let addr: IpAddr = addr.trim_matches(['[', ']']).parse().ok()?;
        Some(quote(format!("{addr} {name}")))
    };
    joined(values.iter().filter_map(line))
}

/// The command of a check, whichever flag of checks was told.
pub(super) fn check(_: &[&str], typed: &Typed) -> Option<String> {
    typed.last("--health-cmd").map(quote)
}

/// The limit of memory that was given too.
pub(super) fn memory(_: &[&str], typed: &Typed) -> Option<String> {
    typed.last("--memory").map(quote)
}

/// The lines of resolv.conf(5). Without a server those of the host stay, as with docker.
pub(super) fn resolver(_: &[&str], typed: &Typed) -> Option<String> {
    let servers = typed.values("--dns");
    let servers = servers.iter().map(|server| format!("nameserver {server}"));
    let search = Some(typed.values("--dns-search").join(" ")).filter(|all| !all.is_empty());
    let options = ["--dns-option", "--dns-opt"]
        .map(|flag| typed.values(flag))
        .concat();
    let rest = search.map(|all| format!("search {all}")).into_iter();
    let rest = rest.chain(options.iter().map(|option| format!("options {option}")));
    let lines: Vec<String> = servers.chain(rest).map(quote).collect();
    let of_host = "\"$(grep ^nameserver /etc/resolv.conf)\"".to_owned();
    let has_server = !typed.values("--dns").is_empty();
    (!lines.is_empty()).then_some(())?;
    joined((!has_server).then_some(of_host).into_iter().chain(lines))
}

/// The flags of `rveth add`: the addresses with their networks, the first host of which is the gateway.
pub(super) fn cable(_: &[&str], typed: &Typed) -> Option<String> {
    let mut flags = String::new();
    if let Some(mac) = typed.last("--mac-address") {
        let _ = write!(flags, "--mac {} ", quote(mac));
    }
    let mut addrs = String::new();
    for flag in ["--ip", "--ip6", "--link-local-ip"] {
        if let Some(addr) = typed.last(flag).and_then(|value| value.parse().ok()) {
            let (bits, gateway) = network(addr);
            let _ = write!(
                addrs,
                "--addr {addr}/{bits} --gw {gateway} --peer-addr {gateway}/{bits} "
            );
        }
    }
    match (flags.is_empty(), addrs.is_empty()) {
        (true, true) => None,
        (_, false) => Some(format!("{flags}{}", addrs.trim_end())),
        (false, true) => Some(format!("{flags}{ADDRESSES}")),
    }
}

/// An example of an address.
pub(super) const ADDRESSES: &str = "--addr 10.9.0.2/24 --gw 10.9.0.1 --peer-addr 10.9.0.1/24";

/// The bits of a network that the address is in, and its first host, or the second beside the first.
fn network(addr: IpAddr) -> (u8, IpAddr) {
    let first = |last: u8| if last == 1 { 2 } else { 1 };
    match addr {
        IpAddr::V4(v4) => {
            let [a, b, c, last] = v4.octets();
            (24, IpAddr::from([a, b, c, first(last)]))
        }
        IpAddr::V6(v6) => {
            let mut octets = [0; 16];
            octets[..8].copy_from_slice(&v6.octets()[..8]);
            octets[15] = first(v6.octets()[15]);
            (64, IpAddr::from(octets))
        }
    }
}

/// `/dev/fuse` or `FROM:TO:rwm` as a mount.
pub(super) fn device(values: &[&str], _: &Typed) -> Option<String> {
    let mount = |value: &&str| {
        let mut parts = value.split(':');
        let from = parts.next().unwrap_or_default();
        let to = parts
            .next()
            .filter(|part| part.starts_with('/'))
            .unwrap_or(from);
        format!("-v {}", quote(format!("{from}:{to}")))
    };
    joined(values.iter().map(mount))
}

/// The quota divided by the period: docker's period is 100 ms.
pub(super) fn cpus(_: &[&str], typed: &Typed) -> Option<String> {
    let usec = |flag| {
        typed
            .last(flag)?
            .parse::<u32>()
            .ok()
            .filter(|usec| *usec > 0)
    };
    let quota = u64::from(usec("--cpu-quota")?);
    let period = u64::from(usec("--cpu-period").unwrap_or(100_000));
    // Three decimals are enough for an example.
    let thousandths = (quota * 1000 + period / 2) / period;
    Some(cpus_text(thousandths * (NANO / 1000)))
}

/// A host name of this domain.
pub(super) fn domain(values: &[&str], typed: &Typed) -> Option<String> {
    let host = typed.last("--hostname").unwrap_or("web");
    values
        .last()
        .map(|domain| quote(format!("{host}.{domain}")))
}

/// The user, and this group.
pub(super) fn group(values: &[&str], typed: &Typed) -> Option<String> {
    let user = head(typed.last("--user").unwrap_or("0"));
    values.last().map(|group| quote(format!("{user}:{group}")))
}

/// The signal, for `stop`.
pub(super) fn signal(values: &[&str], typed: &Typed) -> Option<String> {
    let signal = values.last().copied().or_else(|| typed.last("-s"))?;
    let time = ["--time", "--timeout", "-t"].into_iter();
    let time = time.filter_map(|flag| typed.last(flag)).next_back();
    let time = time.map(|time| format!(" -t {}", quote(time)));
    Some(format!("-s {}{}", quote(signal), time.unwrap_or_default()))
}

/// Filters of `volume ls`. Volumes that have a name are pruned with `--all` alone, as docker does.
pub(super) fn filters(values: &[&str], typed: &Typed) -> Option<String> {
    let is_all = |value: &&&str| matches!(**value, "all=true" | "all=1");
    let has_all = typed.has_switch("--all", 'a') || values.iter().any(|value| is_all(&value));
    let unnamed = (!has_all).then_some("label=com.docker.volume.anonymous");
    let wanted = values.iter().filter(|value| !value.starts_with("all="));
    joined(
        unnamed
            .iter()
            .chain(wanted)
            .map(|value| format!("-f {}", quote(value))),
    )
}

/// The numbers of the groups, as a list of JSON. A name is the image's, which the shell cannot look up.
pub(super) fn groups(values: &[&str], _: &Typed) -> Option<String> {
    let numbers: Option<Vec<u32>> = values.iter().map(|group| group.parse().ok()).collect();
    let numbers: Vec<String> = numbers?.iter().map(u32::to_string).collect();
    Some(numbers.join(","))
}

/// `PATH:WEIGHT`
pub(super) fn weight(values: &[&str], _: &Typed) -> Option<String> {
    let weight: u16 = values.last()?.rsplit(':').next()?.parse().ok()?;
    (10..=1000).contains(&weight).then(|| weight.to_string())
}

/// A size as tmpfs(5) takes it: docker's may end in a `b` or have a fraction.
pub(super) fn size(values: &[&str], _: &Typed) -> Option<String> {
    let bytes = parse_bytes(values.last()?)
        .ok()
        .filter(|bytes| *bytes > 0)?;
    let units = [(30, "g"), (20, "m"), (10, "k")];
    let unit = units.iter().find(|(bits, _)| bytes % (1 << bits) == 0);
    Some(unit.map_or_else(
        || bytes.to_string(),
        |(bits, unit)| format!("{}{unit}", bytes >> bits),
    ))
}

/// A path relative to the root of the hierarchies.
pub(super) fn parent(values: &[&str], _: &Typed) -> Option<String> {
    let path = values.last()?.trim_matches('/');
    (!path.is_empty()).then(|| quote(path))
}

/// `C:ALIAS`
pub(super) fn container(values: &[&str], _: &Typed) -> Option<String> {
    let name = head(values.last()?);
    (!name.is_empty()).then(|| quote(name))
}

/// `C:ro`
pub(super) fn containers(values: &[&str], _: &Typed) -> Option<String> {
    let names = values.iter().map(|value| head(value));
    joined(names.filter(|name| !name.is_empty()).map(quote))
}

/// `container:C`, for `exec`, with the flags that it has too.
pub(super) fn other(values: &[&str], typed: &Typed) -> Option<String> {
    let name = values.last()?.strip_prefix("container:")?;
    (!name.is_empty()).then(|| format!("{}{}", again::of_exec(typed), quote(name)))
}

/// `runc` of `io.containerd.runc.v2` too.
pub(super) fn runtime(values: &[&str], _: &Typed) -> Option<String> {
    let name = values.last()?;
    let shim = name.strip_prefix("io.containerd.");
    let shim = shim.and_then(|rest| rest.split('.').next());
    Some(quote(shim.filter(|shim| !shim.is_empty()).unwrap_or(name)))
}

/// `on-failure:N`: it is run once more than it is restarted.
pub(super) fn runs(values: &[&str], _: &Typed) -> Option<String> {
    let restarts: u16 = values.last()?.strip_prefix("on-failure:")?.parse().ok()?;
    Some((u32::from(restarts) + 1).to_string())
}
