//! `list` and `show`: rows.

use kit_cli::{Output, Result, Row};
use kit_plan::Roots;

use super::{instance, place};
use crate::{list, repair};

pub fn show(output: Output, netns: Option<&str>, only: Option<&str>) -> Result {
    let (only, netns) = match only.map(|text| text.split_once('@').unwrap_or((text, ""))) {
        Some((name, "")) => (Some(name), netns),
        Some((name, there)) => (Some(name), Some(there)),
        None => (None, netns),
    };
    let mut rows = list::list(&instance()?, &place(netns)?, only)?;
    // So that another verb, which reads them, finds them there.
    for row in rows.iter_mut().filter(|_| netns.is_some()) {
        row.name = format!("{}@{}", row.name, netns.unwrap_or_default());
    }
    output.list(&rows)?;
    if netns.is_none() {
        tell_damage();
    }
    Ok(0)
}

/// What containers' networks have lost; not asked for, so that whoever may not read it hears nothing.
fn tell_damage() {
    let found = Roots::from_env()
        .ok()
        .and_then(|roots| repair::damage(&roots, &kit_net::Nft::open().ok()?).ok());
    let found = found.unwrap_or_default();
    for damage in &found {
        eprint_line(&format!("rbridge: {damage}"));
    }
    if !found.is_empty() {
        eprint_line("hint: rbridge repair");
    }
}

fn eprint_line(text: &str) {
    // Nobody to tell if this fails.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{text}\n").as_bytes());
}

impl Row for list::Entry {
    const HEAD: &'static [&'static str] = &[
        "NAME",
        "ID",
        "STATE",
        "ADDRESSES",
        "NAT",
        "PORTS",
        "PUBLISHED",
    ];

    fn cells(&self) -> Vec<String> {
        let nat = match &self.instance {
            None => "off".to_owned(),
            Some(_) if self.ours => "on".to_owned(),
            Some(instance) => format!("on, by {instance}"),
        };
        vec![
            self.name.clone(),
            self.id.clone(),
            if self.up { "up" } else { "down" }.to_owned(),
            self.addresses.join(" "),
            nat,
            self.ports.join(" "),
            self.published.join(" "),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
