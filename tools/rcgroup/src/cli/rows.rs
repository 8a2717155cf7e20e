//! How lists of `rcgroup` look to a person.

use kit_cli::{Output, Result, Row};
use kit_units::cpus_text;
use serde::Serialize;

use crate::Setting;
use crate::map::Mapped;
use crate::show::Shown;
use crate::stats::{Entry, Stats};

impl Row for Entry {
    const HEAD: &'static [&'static str] = &["NAME", "CONTROLLERS", "PIDS"];

    fn cells(&self) -> Vec<String> {
        let pids: Vec<String> = self.pids.iter().map(ToString::to_string).collect();
        vec![
            self.name.clone(),
            self.controllers.join(","),
            pids.join(","),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for Stats {
    const HEAD: &'static [&'static str] = &[
        "NAME",
        "MEMORY",
        "LIMIT",
        "PEAK",
        "CPU_USEC",
        "PIDS",
        "OOM_KILLS",
    ];

    fn cells(&self) -> Vec<String> {
        let show =
            |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let all = [
            self.memory_bytes,
            self.memory_limit_bytes,
            self.memory_peak_bytes,
            self.cpu_usec,
            self.pids_current,
            self.oom_kills,
        ];
        let mut cells: Vec<String> = std::iter::once(self.name.clone())
            .chain(all.map(show))
            .collect();
        // Memory is counted here, and not limited: that is not the same as not known.
        if self.memory_bytes.is_some() && self.memory_limit_bytes.is_none() {
            "none".clone_into(&mut cells[2]);
        }
        cells
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for Mapped {
    const HEAD: &'static [&'static str] = &["LIMIT", "V1", "V2", "HERE", "FORMULA"];

    fn cells(&self) -> Vec<String> {
        let files = |settings: &[Setting]| {
            let one = |setting: &Setting| format!("{} = {}", setting.file, setting.text);
            settings.iter().map(one).collect::<Vec<_>>().join("; ")
        };
        let here = if self.here == "v2" {
            &self.v2
        } else {
            &self.v1
        };
        let mut formulas: Vec<&str> = here.iter().map(|setting| setting.formula).collect();
        formulas.dedup();
        vec![
            self.name.to_owned(),
            files(&self.v1),
            files(&self.v2),
            self.here.to_owned(),
            formulas.join("; "),
        ]
    }

    fn name(&self) -> String {
        self.name.to_owned()
    }
}

impl Row for Shown {
    const HEAD: &'static [&'static str] = &["NAME"];

    fn cells(&self) -> Vec<String> {
        vec![self.name()]
    }

    fn name(&self) -> String {
        self.stats.name.clone()
    }
}

/// A limit of one group, for people.
#[derive(Serialize)]
struct Limited {
    /// As its flag is called.
    limit: &'static str,
    value: String,
    used: String,
}

impl Row for Limited {
    const HEAD: &'static [&'static str] = &["LIMIT", "VALUE", "USED"];

    fn cells(&self) -> Vec<String> {
        vec![self.limit.to_owned(), self.value.clone(), self.used.clone()]
    }

    fn name(&self) -> String {
        self.limit.to_owned()
    }
}

/// For people a line for each limit; for programs the group as one object.
pub(super) fn show(output: Output, shown: Shown) -> Result<()> {
    if output.json || output.jsonl || output.quiet {
        return output.list(&[shown]);
    }
    output.list(&limits(&shown))
}

fn limits(shown: &Shown) -> Vec<Limited> {
    let text = |number: Option<u64>| number.map(|number| number.to_string());
    let stats = &shown.stats;
    let cpus = shown.nano_cpus.map(cpus_text);
    let cpu_usec = stats.cpu_usec.map(|usec| format!("{usec} usec"));
    let rows = [
        (
            "memory",
            "memory",
            text(stats.memory_limit_bytes),
            text(stats.memory_bytes),
        ),
        (
            "memory",
            "memory-swap",
            text(shown.memory_swap_limit_bytes),
            text(shown.memory_swap_bytes),
        ),
        (
            "memory",
            "memory-reservation",
            text(shown.memory_reservation_bytes),
            None,
        ),
        ("cpu", "cpus", cpus, cpu_usec),
        ("cpu", "cpu-shares", text(shown.cpu_shares), None),
        ("cpuset", "cpuset-cpus", shown.cpuset_cpus.clone(), None),
        ("cpuset", "cpuset-mems", shown.cpuset_mems.clone(), None),
        (
            "pids",
            "pids-limit",
            text(stats.pids_limit),
            text(stats.pids_current),
        ),
        ("blkio io", "blkio-weight", text(shown.blkio_weight), None),
    ];
    let row = |(of, limit, value, used): (&str, _, Option<String>, Option<String>)| {
        // No limit is not the same as a limit that the host has not.
        let counted = of
            .split(' ')
            .any(|one| shown.controllers.iter().any(|known| known == one));
        let none = if counted { "none" } else { "-" };
        Limited {
            limit,
            value: value.unwrap_or_else(|| none.to_owned()),
            used: used.unwrap_or_else(|| "-".to_owned()),
        }
    };
    rows.map(row).into()
}
