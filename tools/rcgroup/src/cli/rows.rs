//! How lists of `rcgroup` look to a person.

use kit_cli::Row;

use crate::Setting;
use crate::map::Mapped;
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
