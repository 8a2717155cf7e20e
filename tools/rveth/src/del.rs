//! `rveth del`: a link goes, and with one end of a cable the other.

use kit_net::Netlink;
use kit_plan::{Context, Done, Line, Meta, Plan, Shell, Step, StepError, words};
use nix::errno::Errno;

use crate::says;
use crate::{At, Link, VethError};

/// What `del` does. The link must be there, and be a veth or a macvlan.
pub fn plan(link: &Link) -> Result<Plan, VethError> {
    plan_of(link, &link.find("deleting")?)
}

/// The same, of one that has been found.
pub(crate) fn plan_of(link: &Link, found: &kit_net::Link) -> Result<Plan, VethError> {
    let kind = found.what().to_owned();
    if !crate::list::is_ours(&kind) {
        return Err(VethError::OtherKind {
            doing: "deleting",
            link: link.to_string(),
            kind,
        });
    }
    let mut plan = Plan::new(format!("rveth del {link}"));
    plan.push(Delete {
        link: link.clone(),
        index: found.index,
        veth: kind == "veth",
    });
    Ok(plan)
}

struct Delete {
    link: Link,
    index: u32,
    veth: bool,
}

impl Step for Delete {
    fn meta(&self) -> Meta {
        let says = if self.veth {
            says::delete_pair(&self.link)
        } else {
            says::delete(&self.link)
        };
        let line = Line::Run(
            self.link
                .at()
                .ip(words!["link", "del", "dev", &self.link.name]),
        );
        Meta::new("link.delete", says, Shell::Exact(vec![line]))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let deleted = match self.link.at() {
            At::Own => cx.kept_or(Netlink::open)?.del_link(self.index),
            at => at.netlink(cx)?.del_link(self.index),
        };
        deleted.map_err(|error| {
            if error.is(Errno::ENODEV) {
                // Somebody else was first.
                let (doing, link) = ("deleting", self.link.to_string());
                VethError::NoLink { doing, link }
            } else {
                error.into()
            }
        })?;
        Ok(Done::nothing())
    }
}
