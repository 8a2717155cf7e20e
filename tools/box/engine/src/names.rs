//! The container's host name, and its loopback. Child-side.

use kit_net::Netlink;
use kit_plan::{Context, Done, Line, Meta, Shell, Side, Step, StepError, run};
use kit_sys::calls;

use super::error::fail;
use super::spawn::LoIsUp;
use crate::says;

pub struct SetHostname(pub String);

impl Step for SetHostname {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: "/proc/sys/kernel/hostname".into(),
            text: (&self.0).into(),
        };
        Meta::new(
            "uts.hostname",
            says::hostname(&self.0),
            Shell::Exact(vec![line]),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let set = calls::thread::sethostname(self.0.as_bytes());
        set.map_err(fail(format!("setting host name \"{}\"", self.0)))?;
        Ok(Done::nothing())
    }
}

/// The NIS domain name (uts_namespaces(7)).
pub struct SetDomainname(pub String);

impl Step for SetDomainname {
    fn meta(&self) -> Meta {
        let line = Line::Write {
            path: "/proc/sys/kernel/domainname".into(),
            text: (&self.0).into(),
        };
        Meta::new(
            "uts.domainname",
            says::domainname(&self.0),
            Shell::Exact(vec![line]),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let set = rustix::system::setdomainname(self.0.as_bytes());
        set.map_err(fail(format!("setting domain name \"{}\"", self.0)))?;
        Ok(Done::nothing())
    }
}

/// Sets lo up, which is down in a new network namespace.
pub struct RaiseLo;

impl Step for RaiseLo {
    fn meta(&self) -> Meta {
        let lines = vec![run!["ip", "link", "set", "lo", "up"]];
        Meta::new("net.lo", says::lo(), Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        if cx.kept::<LoIsUp>().is_some() {
            calls::note(|| {
                "netlink RTM_NEWLINK: IFF_UP of link number 1, with the namespace".to_owned()
            });
            return Ok(Done::nothing());
        }
        let nl = Netlink::open()?;
        // The kernel makes lo first in each namespace, so its index is 1.
        nl.set_up(1)?;
        Ok(Done::nothing())
    }
}
