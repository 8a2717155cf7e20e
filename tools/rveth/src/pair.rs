//! A cable to be made, for programs: its two ends by their names, as a plan.

use std::net::IpAddr;

use kit_net::Cidr;
use kit_plan::Plan;

use crate::add::{Wanted, plugged};
use crate::{Link, Mac, VethError};

/// A veth pair. An end is `NAME`, or `NAME@NETNS` with a namespace that need not be there yet: planning opens nothing, and
/// an earlier plan may be what makes it.
///
/// ```no_run
/// use rveth::Pair;
///
/// let plan = Pair::new("bd1h", "eth0@bd1")
///     .addr("10.9.0.1/24".parse()?)
///     .peer_addr("10.9.0.2/24".parse()?)
///     .peer_gw("10.9.0.1".parse()?)
///     .plan()?;
/// println!("{}", plan.script()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Pair {
    ends: [String; 2],
    addrs: [Vec<Cidr>; 2],
    gateways: [Vec<IpAddr>; 2],
    macs: [Option<Mac>; 2],
    mtu: Option<u32>,
    bridge: Option<String>,
}

impl Pair {
    /// Between `near` and `far`; both are up in the end.
    pub fn new(near: impl Into<String>, far: impl Into<String>) -> Self {
        Self {
            ends: [near.into(), far.into()],
            ..Self::default()
        }
    }

    /// An address of the near end; may be called again.
    pub fn addr(mut self, addr: Cidr) -> Self {
        self.addrs[0].push(addr);
        self
    }

    /// An address of the far end; may be called again.
    pub fn peer_addr(mut self, addr: Cidr) -> Self {
        self.addrs[1].push(addr);
        self
    }

    /// A default route where the near end is.
    pub fn gw(mut self, gateway: IpAddr) -> Self {
        self.gateways[0].push(gateway);
        self
    }

    /// A default route where the far end is.
    pub fn peer_gw(mut self, gateway: IpAddr) -> Self {
        self.gateways[1].push(gateway);
        self
    }

    /// The near end's hardware address; the kernel draws one otherwise.
    pub fn mac(mut self, mac: Mac) -> Self {
        self.macs[0] = Some(mac);
        self
    }

    /// The far end's hardware address.
    pub fn peer_mac(mut self, mac: Mac) -> Self {
        self.macs[1] = Some(mac);
        self
    }

    /// The largest packet of both ends, in bytes.
    pub fn mtu(mut self, bytes: u32) -> Self {
        self.mtu = Some(bytes);
        self
    }

    /// Plugs the near end into this bridge, which is in the near end's namespace.
    pub fn bridge(mut self, bridge: impl Into<String>) -> Self {
        self.bridge = Some(bridge.into());
        self
    }

    /// What makes it. Nothing is opened.
    ///
    /// # Errors
    /// Names and addresses that can never be a link's.
    pub fn plan(&self) -> Result<Plan, VethError> {
        let end = |nth: usize| -> Result<Wanted, VethError> {
            Ok(Wanted {
                link: Link::parse(&self.ends[nth])?,
                addrs: self.addrs[nth].clone(),
                gateways: self.gateways[nth].clone(),
                mac: self.macs[nth],
                mtu: self.mtu,
            })
        };
        plugged(&end(0)?, &end(1)?, self.bridge.as_deref())
    }
}
