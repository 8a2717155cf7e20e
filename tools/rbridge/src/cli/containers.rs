//! `default` and `repair`: the networks of containers.

use kit_cli::{Act, Output, Result, Row, need_root};
use kit_net::Cidr;
use kit_plan::Roots;

use crate::{choice, repair as mending};

fn roots() -> Result<Roots> {
    Ok(Roots::from_env()?)
}

pub fn default(act: Act, output: Output, addr: Option<Cidr>, auto: bool) -> Result {
    let roots = roots()?;
    if addr.is_none() && !auto {
        output.list(&[choice::show(&roots)?])?;
        return Ok(0);
    }
    if !act.dry_run {
        need_root("choosing the containers' network")?;
        roots.prepare()?;
    }
    let plan = choice::plan(&roots, addr)?;
    act.run(&plan)?;
    Ok(0)
}

pub fn repair(act: Act) -> Result {
    if !act.dry_run {
        need_root("repairing networks")?;
    }
    let roots = roots()?;
    let nft = kit_net::Nft::open()?;
    let found = mending::damage(&roots, &nft)?;
    act.run(&mending::plan(&roots)?)?;
    if act.dry_run {
        return Ok(0);
    }
    for damage in &found {
        kit_cli::emit(&format!("mended: {damage}\n"))?;
    }
    Ok(0)
}

impl Row for choice::Default {
    const HEAD: &'static [&'static str] = &["NAME", "BRIDGE", "GATEWAY", "STATE", "CONTAINERS"];

    fn cells(&self) -> Vec<String> {
        let state = match (self.made, self.chosen) {
            (true, _) => "made",
            (false, true) => "chosen",
            (false, false) => "to be made",
        };
        vec![
            self.name.clone(),
            self.bridge.clone(),
            self.gateway.clone(),
            state.to_owned(),
            self.members.len().to_string(),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
