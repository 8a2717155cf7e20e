//! Rules that another program has deleted, such as a firewall as it is reloaded, put back while the container runs.

use std::time::{Duration, Instant};

use kit_net::Nft;
use kit_net::nft::Watch;
use kit_plan::Roots;

use box_state::Container;

/// No more than one look in this time: somebody may delete the rules again and again.
const REST: Duration = Duration::from_secs(1);
/// The longest time between two looks at rules that cannot be put back.
const LONG_REST: Duration = Duration::from_secs(60);

/// What a monitor hears of the tables of its instance.
pub struct Rules {
    watch: Watch,
    /// When to look whether the rules are whole; `None` while nothing was heard.
    due: Option<Instant>,
    rest: Duration,
    rested: Instant,
}

impl Rules {
    /// For a container of a network, before its rules are made: so no loss is missed. `None` for another, and where the
    /// kernel has no such socket: `ps` tells of flushed rules all the same.
    pub fn of(container: &Container) -> Option<Self> {
        container.endpoints.first()?;
        Some(Self {
            watch: Watch::open().ok()?,
            due: None,
            rest: REST,
            rested: Instant::now(),
        })
    }

    /// For a container that has run without a monitor: what was lost meanwhile, nobody has heard.
    pub fn taken_over(container: &Container) -> Option<Self> {
        let rules = Self::of(container)?;
        let due = Some(rules.rested);
        Some(Self { due, ..rules })
    }

    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// How long to wait for an event at most before [`Self::mend`] is called.
    pub fn wait(&self) -> Option<Duration> {
        let due = self.due?;
        Some(due.saturating_duration_since(Instant::now()))
    }

    /// Takes in what the watch has heard.
    pub fn hear(&mut self, roots: &Roots) {
        if self.watch.has_lost(&roots.instance.name()) {
            self.due.get_or_insert(self.rested);
        }
    }

    /// Puts back what was lost, when it is due. Each monitor does, and the first one finds work. Where two do it at once, one
    /// may fail at what the other has just made, and looks again later.
    pub fn mend(&mut self, roots: &Roots) {
        if self.due.is_none_or(|due| due > Instant::now()) {
            return;
        }
        let is_whole = is_whole(roots);
        self.rest = if is_whole {
            REST
        } else {
            LONG_REST.min(self.rest * 2)
        };
        self.rested = Instant::now() + self.rest;
        self.due = (!is_whole).then_some(self.rested);
    }
}

/// Whether all rules are there, or were put back.
fn is_whole(roots: &Roots) -> bool {
    let Ok(nft) = Nft::open() else { return false };
    rbridge::repair::damage(roots, &nft)
        .is_ok_and(|damage| damage.is_empty() || rbridge::repair(roots, &nft).is_ok())
}
