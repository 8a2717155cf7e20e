//! `rrun port`: published ports, and the ports of the container that they lead to.

use kit_cli::{Failure, Result, emit};

use super::steps::{fault, find};
use box_state::{Containers, Port};

#[derive(clap::Args)]
pub struct Args {
    /// A container; - reads several from standard input
    pub container: String,
    /// One port of the container: 80 or 53/udp
    pub port: Option<String>,
}

pub fn run(args: &Args, containers: &Containers) -> Result {
    let names = kit_cli::names(std::slice::from_ref(&args.container), &["container"])?;
    let mut any = false;
    let outcome = kit_cli::each(&names, |name| {
        one(name, args.port.as_deref(), containers).map(|found| any |= found)
    });
    hint_on_flushed_rules(containers, any);
    outcome
}

/// A reload of firewalld, or `nft flush ruleset`, takes the rules of published ports, and leaves the containers running:
/// what is listed is what was asked for, so the reader is told that it leads nowhere.
pub fn hint_on_flushed_rules(containers: &Containers, any_published: bool) {
    if !any_published {
        return;
    }
    let damage = kit_net::Nft::open()
        .map_err(rbridge::BridgeError::from)
        .and_then(|nft| rbridge::repair::damage(&containers.roots, &nft));
    if damage.is_ok_and(|damage| !damage.is_empty()) {
        let text = b"hint: another program has flushed the rules of published ports: rrun gc puts them back\n";
        // Nobody to tell if this fails.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), text);
    }
}

/// Prints a container's published ports; whether it has any.
fn one(name: &str, wanted: Option<&str>, containers: &Containers) -> Result<bool> {
    let box_ops::Subject {
        containers,
        container,
    } = &find(containers, name)?;
    let state = containers.state(&container.id).map_err(fault)?;
    let ports: Vec<&Port> = if state.is_running() {
        state.ports.iter().collect()
    } else {
        Vec::new()
    };
    let Some(wanted) = wanted else {
        let line =
            |port: &&Port| format!("{}/{} -> {}\n", port.container_port, port.proto, host(port));
        let lines: Vec<String> = ports.iter().map(line).collect();
        emit(&lines.concat())?;
        return Ok(!lines.is_empty());
    };
    let (number, proto) = wanted.split_once('/').unwrap_or((wanted, "tcp"));
    let is_wanted = |port: &&&Port| {
        port.container_port.to_string() == number && port.proto.to_string() == proto
    };
    let lines: Vec<String> = ports
        .iter()
        .filter(is_wanted)
        .map(|port| host(port) + "\n")
        .collect();
    if lines.is_empty() {
        let text = format!("no public port '{wanted}' published for {name}");
        return Err(Failure::new(text).hint(format!("rrun port {name} shows them all")));
    }
    emit(&lines.concat())?;
    Ok(true)
}

/// `0.0.0.0:8080`
pub fn host(port: &Port) -> String {
    match port.host_ip {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]:{}", port.host_port),
        Some(std::net::IpAddr::V4(ip)) => format!("{ip}:{}", port.host_port),
        None => format!("0.0.0.0:{}", port.host_port),
    }
}
