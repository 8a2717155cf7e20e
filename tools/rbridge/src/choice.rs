//! `rbridge default`: which addresses the network of containers has. A file of the state root, for networks are made and
//! removed as containers come and go.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

use kit_home::{Replace, replace};
use kit_net::Cidr;
use kit_plan::{Context, Done, Line, Meta, Plan, Roots, Shell, Step, StepError, run};
use serde::{Deserialize, Serialize};

use crate::network::{DEFAULT, Dir, preview};
use crate::says;
use crate::{BridgeError, addr, file};

/// The gateway that was chosen, and the length of its network's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Choice {
    pub gateway: Ipv4Addr,
    pub prefix: u8,
}

fn path(roots: &Roots) -> PathBuf {
    roots.root.join("default-network.json")
}

pub(crate) fn read(roots: &Roots) -> Result<Option<Choice>, BridgeError> {
    file::read(&path(roots))
}

/// The containers' network as it is, or will be.
#[derive(Debug, Clone, Serialize)]
pub struct Default {
    /// The version of this form: 1.
    pub schema: u32,
    /// `network`
    pub kind: &'static str,
    /// The network's name, as docker's.
    pub name: String,
    /// Its bridge.
    pub bridge: String,
    /// The bridge's address, with its prefix length; empty where it is still to be chosen.
    pub gateway: String,
    /// All addresses that it has.
    pub subnet: String,
    /// It is there now; else the next container makes it.
    pub made: bool,
    /// By `rbridge default --addr`.
    pub chosen: bool,
    /// The containers that use it, by their IDs.
    pub members: Vec<String>,
}

/// The network as it is, or as it will be made.
pub fn show(roots: &Roots) -> Result<Default, BridgeError> {
    let dir = Dir::new(roots, DEFAULT);
    let network = preview(roots)?;
    Ok(Default {
        schema: 1,
        kind: "network",
        name: network.name.clone(),
        bridge: network.bridge.clone(),
        gateway: network.gateway_cidr().to_string(),
        subnet: network.subnet().to_string(),
        made: dir.read()?.is_some(),
        chosen: read(roots)?.is_some(),
        members: dir.list_members(),
    })
}

/// What `default --addr` does, and with `None` what `default --auto` does: for the network that is made next.
pub fn plan(roots: &Roots, gateway: Option<Cidr>) -> Result<Plan, BridgeError> {
    let choice = match gateway {
        None => None,
        Some(cidr) => {
            addr::check(cidr)?;
            let wrong = |reason: &str| BridgeError::BadSubnet {
                subnet: cidr.to_string(),
                reason: reason.to_owned(),
            };
            let IpAddr::V4(gateway) = cidr.addr else {
                return Err(wrong("it is an IPv4 network"));
            };
            if cidr.prefix > 30 {
                return Err(wrong("it has no address for a container"));
            }
            let prefix = cidr.prefix;
            Some(Choice { gateway, prefix })
        }
    };
    // Whatever is chosen now takes the file's place: one that is not understood is not overwritten.
    read(roots)?;
    let mut plan = Plan::new("rbridge default");
    plan.push(Choose {
        path: path(roots),
        choice,
    });
    Ok(plan)
}

struct Choose {
    path: PathBuf,
    choice: Option<Choice>,
}

impl Step for Choose {
    fn meta(&self) -> Meta {
        let line = match self.choice {
            None => run!["rm", "-f", &self.path],
            Some(choice) => Line::Write {
                path: (&self.path).into(),
                text: file::text(&choice).into(),
            },
        };
        Meta::new("network.choose", says::choose(), Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let done = match self.choice {
            None => match std::fs::remove_file(&self.path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            },
            Some(choice) => {
                let name = format!(".default-network.json.{}.new", std::process::id());
                let temporary = self.path.with_file_name(name);
                let how = Replace {
                    sync: true,
                    ..Replace::beside(&temporary)
                };
                replace(&self.path, (file::text(&choice) + "\n").as_bytes(), &how)
            }
        };
        done.map_err(BridgeError::io("writing", &self.path))?;
        Ok(Done::nothing())
    }
}
