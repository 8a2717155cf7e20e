//! `-p`, `-P`, `--expose` and the image's EXPOSE.

use kit_cli::{Failure, Result};

use rbridge::Proto;

use super::image::Config;
use super::usage;
use crate::cli::flags::Create;
use box_ops::spec::ports::{Exposed, HostPort, parse_expose, parse_publish};
use box_state::Port;

/// Refuses a port that cannot be read.
pub(super) fn check(flags: &Create) -> Result<()> {
    for text in &flags.publish {
        parse_publish(text).map_err(usage)?;
    }
    for text in &flags.expose {
        parse_expose(text).map_err(usage)?;
    }
    Ok(())
}

pub(super) fn exposed(flags: &Create, config: &Config) -> Result<Vec<Exposed>> {
    let mut all = Vec::new();
    for text in config.exposed.iter().chain(&flags.expose) {
        all.extend(parse_expose(text).map_err(usage)?);
    }
    // As docker: a port that is published is exposed.
    for text in &flags.publish {
        let published = parse_publish(text).map_err(usage)?.into_iter();
        all.extend(published.map(|port| Exposed {
            port: port.container,
            proto: port.proto,
        }));
    }
    all.sort();
    all.dedup();
    Ok(all)
}

pub(super) fn ports(flags: &Create, exposed: &[Exposed]) -> Result<Vec<Port>> {
    let mut ports: Vec<Port> = Vec::new();
    for text in &flags.publish {
        for published in parse_publish(text).map_err(usage)? {
            let proto = translated(published.proto, text)?;
            let at = |host_port| Port {
                host_ip: published.ip,
                host_port,
                container_port: published.container,
                proto,
            };
            let is_given = |port: &Port| ports.iter().any(|known| same(known, port));
            let host_port = match published.host {
                HostPort::Any => 0,
                HostPort::One(port) => port,
                HostPort::Range(first, last) => {
                    let ip = published.ip.and_then(v4);
                    let range = (first..=last).filter(|port| !is_given(&at(*port)));
                    let free = box_net::free_port(ip, proto, range);
                    free.ok_or_else(|| {
                        Failure::new(format!(
                            "publishing \"{text}\": no port of {first}-{last} is free"
                        ))
                    })?
                }
            };
            if proto == Proto::Udp && published.ip.is_some_and(|ip| ip.is_ipv6()) {
                return Err(Failure::new(format!(
                    "publishing \"{text}\": over IPv6 only tcp is passed on"
                )));
            }
            let port = at(host_port);
            if is_given(&port) {
                let text = format!("{host_port}/{}", port.proto);
                return Err(
                    Failure::new(format!("publishing port \"{text}\": it is given twice")).hint(
                        "a port of the host leads to one port of a container: choose another",
                    ),
                );
            }
            ports.push(port);
        }
    }
    if flags.publish_all {
        publish_all(&mut ports, exposed)?;
    }
    Ok(ports)
}

/// What `-P` adds: a free port of the host for each exposed one that has none yet.
fn publish_all(ports: &mut Vec<Port>, exposed: &[Exposed]) -> Result<()> {
    for exposed in exposed {
        let container_port = exposed.port;
        let proto = translated(exposed.proto, &exposed.to_string())?;
        if !ports
            .iter()
            .any(|known| known.container_port == container_port && known.proto == proto)
        {
            ports.push(Port {
                host_ip: None,
                host_port: 0,
                container_port,
                proto,
            });
        }
    }
    Ok(())
}

/// Whether two publications want the same port of the host. One without an address takes the port of every address; 0 is
/// any free port.
fn same(one: &Port, other: &Port) -> bool {
    let meet = match (one.host_ip, other.host_ip) {
        (Some(one), Some(other)) => one == other,
        _ => true,
    };
    one.host_port != 0 && one.host_port == other.host_port && one.proto == other.proto && meet
}

fn v4(ip: std::net::IpAddr) -> Option<std::net::Ipv4Addr> {
    match ip {
        std::net::IpAddr::V4(ip) => Some(ip),
        std::net::IpAddr::V6(_) => None,
    }
}

fn translated(proto: Proto, text: &str) -> Result<Proto> {
    if proto == Proto::Sctp {
        let refused = format!("publishing \"{text}\": only tcp and udp are translated");
        return Err(Failure::new(refused));
    }
    Ok(proto)
}
