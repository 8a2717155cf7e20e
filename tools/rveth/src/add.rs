//! `rveth add`: a pair, or a macvlan, in service after one call.

use std::net::IpAddr;

use kit_net::{Cidr, check_addr, check_link_name};
use kit_plan::Plan;

use crate::{At, Cable, End, Link, Mac, Macvlan, MacvlanMode, Mark, Raise, Release, VethError};

/// What one end shall be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Its name, and where it is to be.
    pub link: Link,
    /// Its addresses.
    pub addrs: Vec<Cidr>,
    /// Default routes where it is.
    pub gateways: Vec<IpAddr>,
    /// Its hardware address; `None` lets the kernel draw one.
    pub mac: Option<Mac>,
    /// The largest packet, in bytes; `None` is the kernel's 1500.
    pub mtu: Option<u32>,
}

impl Wanted {
    fn end(&self) -> End {
        End {
            mac: self.mac,
            mtu: self.mtu,
            ..End::new(&self.link.name, self.link.at())
        }
    }

    fn raise(&self) -> Raise {
        Raise {
            at: self.link.at(),
            name: self.link.name.clone(),
            addrs: self.addrs.clone(),
            gateways: self.gateways.clone(),
        }
    }

    fn place(&self) -> (String, At) {
        (self.link.name.clone(), self.link.at())
    }

    fn check(&self) -> Result<(), VethError> {
        Ok(self.addrs.iter().try_for_each(|cidr| check_addr(*cidr))?)
    }

    /// That its namespace is there: a plan opens none, since an earlier step may be what makes it.
    pub fn exists(&self) -> Result<(), VethError> {
        if let Some(netns) = &self.link.netns {
            netns.open()?;
        }
        Ok(())
    }
}

/// A cable between `a` and `b`, both up.
pub fn pair(a: &Wanted, b: &Wanted) -> Result<Plan, VethError> {
    plugged(a, b, None)
}

/// The same, with `a` a port of `bridge`, which is in `a`'s namespace.
pub(crate) fn plugged(a: &Wanted, b: &Wanted, bridge: Option<&str>) -> Result<Plan, VethError> {
    if a.link == b.link {
        return Err(VethError::SameName {
            link: a.link.to_string(),
        });
    }
    a.check()?;
    b.check()?;
    let mut plan = Plan::new(format!("rveth add {} {}", a.link, b.link));
    plan.push(Cable {
        mark: Some(mark()),
        bridge: bridge.map(str::to_owned),
        ..Cable::new(a.end(), b.end())
    });
    // Both ends up before any route: a route out of a link without a carrier is marked dead.
    plan.push(b.raise());
    if !a.addrs.is_empty() || !a.gateways.is_empty() {
        plan.push(a.raise());
    }
    plan.push(Release {
        links: vec![b.place(), a.place()],
    });
    Ok(plan)
}

/// A macvlan on `parent`, up.
pub fn macvlan(a: &Wanted, parent: &str, mode: MacvlanMode) -> Result<Plan, VethError> {
    check_link_name(parent)?;
    a.check()?;
    let mut plan = Plan::new(format!("rveth add {} --macvlan {parent}", a.link));
    let mark = Some(mark());
    plan.push(Macvlan {
        end: a.end(),
        parent: parent.to_owned(),
        mode,
        mark,
    });
    plan.push(a.raise());
    plan.push(Release {
        links: vec![a.place()],
    });
    Ok(plan)
}

/// Of this plan alone: the instance's is on every link of its containers, and undoing an intent by that would delete the
/// one that has the name already.
fn mark() -> Mark {
    Mark {
        group: kit_plan::link_group_of_a_plan(),
        kept: false,
    }
}
