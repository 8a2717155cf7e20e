//! A bridge to be made, for programs: with its addresses, translation and published ports, as a plan.

use std::net::IpAddr;

use kit_net::Cidr;
use kit_plan::{Instance, Plan};
use rnetns::Netns;

use crate::{BridgeError, Place, Publish, Published, Target, bridge, nat};

/// A bridge by its name. Planning opens nothing: its namespace may be made by an earlier plan.
///
/// ```no_run
/// use kit_plan::Roots;
/// use rbridge::{Bridge, Published};
///
/// let plan = Bridge::named("br0")
///     .addr("10.9.0.1/24".parse()?)
///     .nat()
///     .publish(Published::parse("8080:10.9.0.2:80")?)
///     .plan(&Roots::from_env()?.instance)?;
/// println!("{}", plan.script()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Bridge {
    name: String,
    place: Place,
    addrs: Vec<Cidr>,
    nat: bool,
    ports: Vec<Published>,
}

impl Bridge {
    /// In the network namespace of whoever applies the plan.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// In this network namespace instead.
    pub fn netns(mut self, netns: Netns) -> Self {
        self.place = Place::new(Some(netns));
        self
    }

    /// An address of its own, by which it is the gateway of what is plugged in; may be called again.
    pub fn addr(mut self, addr: Cidr) -> Self {
        self.addrs.push(addr);
        self
    }

    /// Its networks reach what this host reaches, under the host's address. Where forwarding was off it is switched on for
    /// our bridges alone, and stays so as this is undone, since others may count on it by then:
    /// [`release_unused`](crate::release_unused) switches it off after the last.
    pub fn nat(mut self) -> Self {
        self.nat = true;
        self
    }

    /// A port of the host leads to one of an address in its networks, which takes [`Bridge::nat`]; may be called again.
    pub fn publish(mut self, port: Published) -> Self {
        self.ports.push(port);
        self
    }

    /// What makes it, up and whole; `instance` says whose tables and marks it has.
    ///
    /// # Errors
    /// Names, addresses and ports that can never be a bridge's. That the name or a port is taken is found as the plan is
    /// applied.
    pub fn plan(&self, instance: &Instance) -> Result<Plan, BridgeError> {
        let mut plan = bridge::add_plan(instance, &self.place, &self.name, &self.addrs)?;
        if self.nat {
            if !self.addrs.iter().any(|addr| addr.addr.is_ipv4()) {
                return Err(BridgeError::NoGateway {
                    name: self.place.named(&self.name),
                });
            }
            for step in nat::on_steps(instance, &self.place, &self.name)? {
                plan.push_boxed(step);
            }
        }
        for port in &self.ports {
            let inside = |net: &Cidr| net.contains(IpAddr::V4(port.addr));
            if !self.nat || !self.addrs.iter().any(inside) {
                return Err(BridgeError::NoNetwork {
                    port: self.place.named(&port.to_string()),
                    addr: port.addr,
                });
            }
            let to = (Target::Addr(port.addr), port.port);
            plan.push(Publish::new(instance, self.place.clone(), port.host, to));
        }
        Ok(plan)
    }
}
