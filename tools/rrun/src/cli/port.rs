//! `rrun port`: which port of the host leads where.

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
    kit_cli::each(&names, |name| one(name, args.port.as_deref(), containers))
}

fn one(name: &str, wanted: Option<&str>, containers: &Containers) -> Result<()> {
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
        return emit(&lines.concat());
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
    emit(&lines.concat())
}

/// `0.0.0.0:8080`
pub fn host(port: &Port) -> String {
    match port.host_ip {
        Some(std::net::IpAddr::V6(ip)) => format!("[{ip}]:{}", port.host_port),
        Some(std::net::IpAddr::V4(ip)) => format!("{ip}:{}", port.host_port),
        None => format!("0.0.0.0:{}", port.host_port),
    }
}
