//! Joining a network: it is made or completed, and its member is a file, which is what a container's journal has.

use kit_plan::{Context, Done, Line, Meta, Plan, Roots, Shell, Slots, Step, StepError, Undo, run};

use crate::bridge::{AddAddr, Create};
use crate::network::{Dir, Network, complete};
use crate::says;
use crate::{BridgeError, Place, file, nat};

/// A step that makes sure of a network and makes `member` one of its users. The membership alone is undone.
pub struct Join {
    roots: Roots,
    dir: Dir,
    network: Network,
    member: String,
}

impl Join {
    /// `network` is what [`preview`](crate::network::preview) or [`ensure`](crate::network::ensure) said.
    pub fn new(roots: &Roots, network: &Network, member: &str) -> Self {
        Self {
            roots: roots.clone(),
            dir: Dir::new(roots, &network.name),
            network: network.clone(),
            member: member.to_owned(),
        }
    }

    /// What the network lacks, and the membership, in sh. For a reader only: asking nftables means closing its socket,
    /// which waits for the kernel when another container has just ended.
    fn lines(&self) -> Result<Vec<Line>, BridgeError> {
        let mut lines = missing_lines(&self.roots, &self.network)?;
        lines.push(run!["mkdir", "-p", self.dir.members()]);
        lines.push(Line::Write {
            path: self.dir.record().into(),
            text: file::text(&self.network).into(),
        });
        lines.push(run!["touch", self.dir.member(&self.member)]);
        Ok(lines)
    }
}

/// What the network still lacks, in sh.
fn missing_lines(roots: &Roots, network: &Network) -> Result<Vec<Line>, BridgeError> {
    let place = Place::default();
    let mut plan = Plan::new("");
    let (name, addr) = (network.bridge.clone(), network.gateway_cidr());
    let index = place.netlink()?.link(&name)?.map(|link| link.index);
    if index.is_none() {
        plan.push(Create::new(
            &place,
            &name,
            roots.instance.link_group(),
            false,
        ));
    }
    if index.and_then(|index| nat::gateway(&place, index)) != Some(addr) {
        plan.push(AddAddr::new(&place, &name, addr));
    }
    if index.is_none() || !nat::is_on(&roots.instance, &place.nft()?, &name)? {
        nat::on_steps(&roots.instance, &place, &name)?
            .into_iter()
            .for_each(|step| plan.push_boxed(step));
    }
    Ok(plan
        .steps()
        .iter()
        .flat_map(|step| step.meta().shell.lines().to_vec())
        .collect())
}

impl Step for Join {
    fn meta(&self) -> Meta {
        let says = says::join(&self.network.name, self.network.gateway);
        let shell = self.lines().map_or(
            Shell::None("what the network lacks cannot be read, which needs root"),
            Shell::Exact,
        );
        Meta::new("network.join", says, shell)
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unlink(self.dir.member(&self.member))]
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = |e| BridgeError::io("joining", self.dir.member(&self.member))(e);
        let _lock = self.dir.make_locked()?;
        if self.dir.read()?.is_some_and(|now| now != self.network) {
            return Err(StepError::new(
                format!("joining network \"{}\"", self.network.name),
                "it was made anew meanwhile",
            )
            .hint("try again"));
        }
        Place::default().with_nft(cx, |nft| {
            complete(&self.roots, &self.dir, nft, &self.network)
        })?;
        kit_sys::calls::fs::write(self.dir.member(&self.member), b"").map_err(doing)?;
        Ok(Done::made(vec![
            Undo::unlink(self.dir.member(&self.member)).identified(),
        ]))
    }
}
