//! What the verbs that change something share: their flags, the names they take, one journal for all of those.

use kit_cli::{Act, Acting, Result, Row, need_root};
use kit_plan::{Instance, Plan, Roots};
use rnetns::{Netns, split_link};

use crate::{BridgeError, Place, list};

// What the verbs that change something share.
#[derive(clap::Args)]
pub struct Common {
    #[command(flatten)]
    pub act: Act,
    /// Work in this network namespace: a name, pid:N, or a path
    #[arg(long, value_name = "NETNS")]
    pub netns: Option<String>,
}

pub fn place(netns: Option<&str>) -> Result<Place> {
    let netns = netns.map(Netns::parse).transpose();
    Ok(Place::new(netns?))
}

pub fn instance() -> Result<Instance> {
    Ok(Roots::from_env()?.instance)
}

/// A verb at work: one watch for signals and one journal for all its names.
pub struct Work {
    pub instance: Instance,
    /// Where a name without `@NETNS` is.
    pub place: Place,
    dry_run: bool,
    acting: Acting,
}

impl Common {
    /// Root first, so that nothing is touched without.
    pub fn start(&self, doing: &str, command: &str) -> Result<Work> {
        if !self.act.dry_run {
            need_root(doing)?;
        }
        Ok(Work {
            instance: instance()?,
            place: place(self.netns.as_deref())?,
            dry_run: self.act.dry_run,
            acting: self.act.start(command)?,
        })
    }
}

impl Work {
    pub fn run(
        &mut self,
        plan: std::result::Result<Plan, BridgeError>,
        made: Option<&str>,
    ) -> Result<()> {
        self.acting.run(&plan?)?;
        match made.filter(|_| !self.dry_run) {
            Some(name) => kit_cli::tell(&format!("{name}\n")),
            None => Ok(()),
        }
    }

    /// `LINK@NETNS`, or a link where the verb works.
    pub fn at<'a>(&self, text: &'a str) -> Result<(&'a str, Place)> {
        let (name, place) = at(text, &self.place)?;
        kit_net::check_link_name(name).map_err(BridgeError::from)?;
        Ok((name, place))
    }

    /// `PORT@NETNS`, or a port where the verb works.
    pub fn port_at<'a>(&self, text: &'a str) -> Result<(&'a str, Place)> {
        at(text, &self.place)
    }
}

/// The names of a verb, which are not the head of a table: `list` prints names alone.
pub fn names(
    given: &[String],
    kind: &str,
    (head, list): (&[&str], &str),
    is_there: impl Fn(&str) -> bool,
) -> Result<Vec<String>> {
    let names = kit_cli::names(given, &[kind])?;
    kit_cli::refuse_heads(&names, head, list, is_there)?;
    Ok(names)
}

/// Whether a link is called so after all.
pub fn is_there(text: &str) -> bool {
    let found = at(text, &Place::default())
        .ok()
        .and_then(|(name, place)| place.netlink().ok()?.link(name).ok()?);
    found.is_some()
}

/// `LINK@NETNS`, or a link in `default`.
fn at<'a>(text: &'a str, default: &Place) -> Result<(&'a str, Place)> {
    let (name, netns) = split_link(text)?;
    let place = netns.map_or_else(|| default.clone(), |netns| Place::new(Some(netns)));
    Ok((name, place))
}

pub const BRIDGES: (&[&str], &str) = (list::Entry::HEAD, "rbridge list -q");
pub const LINKS: (&[&str], &str) = (rveth::list::HEAD, "rveth list -q");
