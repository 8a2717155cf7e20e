//! Rules that another program has deleted, such as a firewall as it is reloaded, put back while the container runs.

use std::time::{Duration, Instant};

use kit_net::Nft;
use kit_net::nft::Watch;
use kit_plan::Roots;

use box_state::RunState;

/// No more than one repair in this time, while the loop has other events: somebody may delete the rules again and again.
const REST: Duration = Duration::from_secs(1);

/// What a monitor hears of the tables of its instance.
pub struct Rules {
    watch: Watch,
    are_lost: bool,
    last: Option<Instant>,
}

impl Rules {
    /// For a container that has an address of a network. `None` for another, and where the kernel has no such socket: `ps`
    /// tells of flushed rules all the same.
    pub fn of(state: &RunState) -> Option<Self> {
        state.endpoints.iter().find_map(box_state::Attached::ip)?;
        Some(Self {
            watch: Watch::open().ok()?,
            are_lost: false,
            last: None,
        })
    }

    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// Takes in what the watch has heard.
    pub fn hear(&mut self, roots: &Roots) {
        self.are_lost |= self.watch.has_lost(&roots.instance.name());
    }

    /// Puts back what was lost. Each monitor does, and the first one finds work. Where two do it at once, one may fail at
    /// what the other has just made: that is heard, and it looks again.
    pub fn mend(&mut self, roots: &Roots, is_quiet: bool) {
        let is_resting = self.last.is_some_and(|last| last.elapsed() < REST);
        if !self.are_lost || (is_resting && !is_quiet) {
            return;
        }
        self.last = Some(Instant::now());
        self.are_lost = !is_whole(roots);
    }
}

/// Whether all rules are there, or were put back.
fn is_whole(roots: &Roots) -> bool {
    let Ok(nft) = Nft::open() else { return false };
    rbridge::repair::damage(roots, &nft)
        .is_ok_and(|damage| damage.is_empty() || rbridge::repair(roots, &nft).is_ok())
}
