//! `rveth del`.

use kit_cli::{Act, Failure, Result, need_root};
use kit_plan::PlanError;
use rnetns::Netns;

use super::owner;
use crate::{Link, VethError, list};

/// Goes on past a failure and reports all. The other end of a cable that has just gone is not missed.
pub(super) fn del(act: Act, force: bool, all_owners: bool, given: &[String]) -> Result {
    let names = kit_cli::names(given, &["link"])?;
    let mut there = There::default();
    let is_there = |name: &str| Link::parse(name).is_ok_and(|link| link.find("deleting").is_ok());
    kit_cli::refuse_heads(&names, list::HEAD, "rveth list -q", is_there)?;
    let links: Vec<Link> = names
        .iter()
        .map(|name| Link::parse(name))
        .collect::<Result<_, _>>()?;
    for link in &links {
        // A namespace that is not there is told when its turn comes.
        let _ = there.look(link);
    }
    if given.iter().any(|name| name == "-") && !all_owners {
        there.spare_others(&links)?;
    }
    if !act.dry_run {
        need_root("deleting a link")?;
    }
    let mut acting = act.start("rveth del")?;
    kit_cli::each(&names, |name| {
        let link = Link::parse(name)?;
        there.look(&link)?;
        let Some(found) = there.find(&link) else {
            let (doing, link) = ("deleting", link.to_string());
            return if force {
                Ok(())
            } else {
                Err(VethError::NoLink { doing, link }.into())
            };
        };
        match acting.run(&crate::del::plan_of(&link, found)?) {
            // It went with its other end, or somebody else was first.
            Err(error) if is_gone(&error) => Ok(()),
            done => done,
        }
    })
}

fn is_gone(error: &Failure) -> bool {
    let Some(PlanError::Step { error: step, .. }) = error.fault() else {
        return false;
    };
    matches!(step.fault(), Some(VethError::NoLink { .. }))
}

/// The links of each namespace that is named, asked for once.
#[derive(Default)]
struct There(Vec<(Option<Netns>, Vec<kit_net::Link>)>);

impl There {
    fn look(&mut self, link: &Link) -> Result<(), VethError> {
        if !self.0.iter().any(|(netns, _)| *netns == link.netns) {
            self.0.push((link.netns.clone(), link.netlink()?.links()?));
        }
        Ok(())
    }

    /// All links where this one is.
    fn beside(&self, link: &Link) -> Option<&[kit_net::Link]> {
        let (_, links) = self.0.iter().find(|(netns, _)| *netns == link.netns)?;
        Some(links.as_slice())
    }

    fn find(&self, link: &Link) -> Option<&kit_net::Link> {
        let mut links = self.beside(link)?.iter();
        links.find(|found| found.name == link.name)
    }

    /// A list of all links is easily piped into `del -`: what is a container's is refused there.
    fn spare_others(&self, links: &[Link]) -> Result<()> {
        kit_cli::refuse_listed(links.iter().find_map(|link| {
            let reason = owner::of(link, self.find(link)?, self.beside(link)?)?;
            Some((format!("deleting link \"{link}\""), reason))
        }))
    }
}
