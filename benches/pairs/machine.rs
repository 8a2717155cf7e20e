//! Whether the machine is quiet: what others used of its processors just before a row and just after it, and what the
//! hypervisor took away meanwhile. proc_stat(5).

use std::time::Duration;

use serde::{Deserialize, Serialize};

const LOOK: Duration = Duration::from_millis(300);
/// What a row left to the kernel, such as a network namespace to tear down, is done by then.
const SETTLE: Duration = Duration::from_millis(300);
/// Per cent. One tick of a look is 2 or so.
const BUSY: f64 = 10.0;
const STEAL: f64 = 2.0;

/// Per cent of all processors.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Busy {
    pub before: f64,
    pub after: f64,
    pub steal: f64,
    pub load: f64,
}

pub struct Watch {
    before: f64,
    load: f64,
    begun: Ticks,
}

impl Watch {
    pub fn begin() -> Self {
        std::thread::sleep(SETTLE);
        Self {
            before: look(),
            load: load(),
            begun: Ticks::now(),
        }
    }

    pub fn end(self) -> Busy {
        let during = Ticks::now().since(self.begun);
        std::thread::sleep(SETTLE);
        let after = look();
        Busy {
            before: self.before,
            after,
            steal: during.share(during.steal),
            load: self.load,
        }
    }
}

impl Busy {
    pub fn is_noisy(&self) -> bool {
        self.before > BUSY || self.after > BUSY || self.steal > STEAL
    }

    pub fn warn(&self, what: &str) {
        if self.is_noisy() {
            eprintln!(
                "warning: {what}: the machine is busy: others used {:.0} % of it before and {:.0} % after, {:.0} % was stolen, load {:.1}",
                self.before, self.after, self.steal, self.load
            );
        }
    }
}

/// What is used while we sleep is used by others.
fn look() -> f64 {
    let begun = Ticks::now();
    std::thread::sleep(LOOK);
    let look = Ticks::now().since(begun);
    look.share(look.busy)
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split(' ').next().unwrap_or_default();
    first.parse().unwrap_or_default()
}

#[derive(Clone, Copy)]
struct Ticks {
    busy: u64,
    steal: u64,
    all: u64,
}

impl Ticks {
    fn now() -> Self {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let line = text.lines().next().unwrap_or_default();
        let figures: Vec<u64> = line
            .split_whitespace()
            .skip(1)
            .filter_map(|word| word.parse().ok())
            .collect();
        let at = |index: usize| figures.get(index).copied().unwrap_or_default();
        // user nice system idle iowait irq softirq steal
        let (idle, steal) = (at(3) + at(4), at(7));
        let all: u64 = figures.iter().take(8).sum();
        Self {
            busy: all - idle - steal,
            steal,
            all,
        }
    }

    fn since(self, begun: Self) -> Self {
        Self {
            busy: self.busy.saturating_sub(begun.busy),
            steal: self.steal.saturating_sub(begun.steal),
            all: self.all.saturating_sub(begun.all),
        }
    }

    #[allow(clippy::cast_precision_loss)] // ticks of minutes
    fn share(self, part: u64) -> f64 {
        if self.all == 0 {
            return 0.0;
        }
        part as f64 * 100.0 / self.all as f64
    }
}
