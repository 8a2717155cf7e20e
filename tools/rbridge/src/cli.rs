//! The command line of `rbridge`.

use std::io::Write;

use clap::{Parser, Subcommand, ValueEnum};
use kit_cli::{Act, Output, Result, Row, need_root};
use kit_net::Cidr;
use kit_plan::{Instance, Plan, Roots};
use rnetns::{Netns, split_link};

use crate::{BridgeError, Place, Published, bridge, forward_blockers, list, nat, publish};

/// Bridges: a switch, with a router on it
#[derive(Parser)]
#[command(name = "rbridge", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rbridge add br0 --addr 10.1.0.1/24     a bridge, up, with an address
  rbridge attach br0 veth0               a link plugged in
  rbridge nat br0 on                     its network reaches the world
  rbridge publish 8080:10.1.0.2:80       port 8080 of this host leads inside
  rbridge list -q | rbridge del -        all bridges go";

// What the verbs that change something share.
#[derive(clap::Args)]
struct Common {
    #[command(flatten)]
    act: Act,
    /// Work in this network namespace: a name, pid:N, or a path
    #[arg(long, value_name = "NETNS")]
    netns: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Make bridges, each up
    Add {
        #[command(flatten)]
        common: Common,
        /// An address for it, such as 10.1.0.1/24; may be repeated
        #[arg(long, value_name = "CIDR")]
        addr: Vec<Cidr>,
        /// BRIDGE, or BRIDGE@NETNS; - reads them from standard input
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Delete bridges; what was plugged in stays
    Del {
        #[command(flatten)]
        common: Common,
        /// Be quiet about a bridge that is not there
        #[arg(long, short)]
        force: bool,
        /// BRIDGE, or BRIDGE@NETNS; - reads them from standard input
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// List bridges
    List {
        #[command(flatten)]
        output: Output,
        #[arg(long, value_name = "NETNS")]
        netns: Option<String>,
    },
    /// Show one bridge
    Show {
        #[command(flatten)]
        output: Output,
        #[arg(long, value_name = "NETNS")]
        netns: Option<String>,
        /// BRIDGE, or BRIDGE@NETNS
        bridge: String,
    },
    /// Plug links into a bridge
    Attach {
        #[command(flatten)]
        common: Common,
        /// BRIDGE, or BRIDGE@NETNS
        bridge: String,
        /// LINK, or LINK@NETNS; - reads them from standard input
        #[arg(required = true)]
        links: Vec<String>,
    },
    /// Pull links out of the bridge that they are on
    Detach {
        #[command(flatten)]
        common: Common,
        /// LINK, or LINK@NETNS; - reads them from standard input
        #[arg(required = true)]
        links: Vec<String>,
    },
    /// Switch address translation for a bridge's network on or off
    Nat {
        #[command(flatten)]
        common: Common,
        /// BRIDGE, or BRIDGE@NETNS
        bridge: String,
        switch: Switch,
    },
    /// Let ports of this host lead inside; no process stays, and nothing answers on ::1
    Publish {
        #[command(flatten)]
        common: Common,
        /// [IP:]PORT:ADDRESS:PORT[/udp]
        #[arg(required = true)]
        ports: Vec<String>,
    },
    /// Take published ports back
    Unpublish {
        #[command(flatten)]
        common: Common,
        /// Be quiet about a port that is not published
        #[arg(long, short)]
        force: bool,
        /// [IP:]PORT[:ADDRESS:PORT][/udp]
        #[arg(required = true)]
        ports: Vec<String>,
    },
}

fn place(netns: Option<&str>) -> Result<Place> {
    let netns = netns.map(Netns::parse).transpose();
    Ok(Place::new(netns?))
}

fn instance() -> Result<Instance> {
    Ok(Roots::from_env()?.instance)
}

impl Common {
    /// Root first, so that nothing is touched without.
    fn start(&self, doing: &str) -> Result<(Instance, Place)> {
        if !self.act.dry_run {
            need_root(doing)?;
        }
        Ok((instance()?, place(self.netns.as_deref())?))
    }

    fn run(&self, plan: std::result::Result<Plan, BridgeError>, made: Option<&str>) -> Result<()> {
        self.act.run(&plan?)?;
        match made.filter(|_| !self.act.dry_run) {
            Some(name) => kit_cli::emit(&format!("{name}\n")),
            None => Ok(()),
        }
    }
}

pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Add {
            common,
            addr,
            names,
        } => {
            let names = kit_cli::names(&names, &["bridge"])?;
            let (instance, place) = common.start("making a bridge")?;
            for text in &names {
                let (name, place) = at(text, &place)?;
                common.run(bridge::add_plan(&instance, &place, name, &addr), Some(text))?;
            }
            Ok(0)
        }
        Verb::Del {
            common,
            force,
            names,
        } => {
            let names = kit_cli::names(&names, &["bridge"])?;
            let (instance, place) = common.start("deleting a bridge")?;
            kit_cli::each(&names, |text| {
                let (name, place) = at(text, &place)?;
                match bridge::del_plan(&instance, &place, name) {
                    Err(BridgeError::NoBridge { .. }) if force => Ok(()),
                    plan => common.run(plan, None),
                }
            })
        }
        Verb::List { output, netns } => show(output, netns.as_deref(), None),
        Verb::Show {
            output,
            netns,
            bridge,
        } => show(output, netns.as_deref(), Some(&bridge)),
        Verb::Attach {
            common,
            bridge,
            links,
        } => attach(&common, &bridge, &links),
        Verb::Detach { common, links } => {
            let links = kit_cli::names(&links, &["link"])?;
            let (_, place) = common.start("detaching a link")?;
            kit_cli::each(&links, |link| {
                let (link, place) = at(link, &place)?;
                common.run(bridge::detach_plan(&place, link), None)
            })
        }
        Verb::Nat {
            common,
            bridge,
            switch,
        } => switch_nat(&common, &bridge, switch),
        Verb::Publish { common, ports } => publish_all(&common, &ports),
        Verb::Unpublish {
            common,
            force,
            ports,
        } => {
            let ports = kit_cli::names(&ports, &["port"])?;
            let (instance, place) = common.start("unpublishing a port")?;
            kit_cli::each(&ports, |port| {
                match publish::unpublish_plan(&instance, &place, port) {
                    Err(BridgeError::NotPublished { .. }) if force => Ok(()),
                    plan => common.run(plan, None),
                }
            })
        }
    }
}

fn show(output: Output, netns: Option<&str>, only: Option<&str>) -> Result {
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
    Ok(0)
}

/// `LINK@NETNS`, or a link where the verb works.
fn at<'a>(text: &'a str, default: &Place) -> Result<(&'a str, Place)> {
    let (name, netns) = split_link(text)?;
    Ok((
        name,
        netns.map_or_else(|| default.clone(), |netns| Place::new(Some(netns))),
    ))
}

fn attach(common: &Common, bridge: &str, links: &[String]) -> Result {
    let links = kit_cli::names(links, &["link"])?;
    let (_, place) = common.start("attaching a link")?;
    let (bridge, place) = at(bridge, &place)?;
    kit_cli::each(&links, |text| {
        let (link, there) = at(text, &place)?;
        if there != place {
            let (link, bridge) = (text.to_owned(), bridge.to_owned());
            return Err(BridgeError::Apart { link, bridge }.into());
        }
        common.run(bridge::attach_plan(&place, bridge, link), None)
    })
}

fn switch_nat(common: &Common, bridge: &str, switch: Switch) -> Result {
    let (instance, place) = common.start("switching translation")?;
    let (bridge, place) = at(bridge, &place)?;
    match switch {
        Switch::On => {
            common.run(nat::on_plan(&instance, &place, bridge), None)?;
            warn(&place, bridge)?;
        }
        Switch::Off => common.run(nat::off_plan(&instance, &place, bridge), None)?,
    }
    Ok(0)
}

/// Says who drops what we forward.
fn warn(place: &Place, bridge: &str) -> Result<()> {
    let blockers = place.nft().and_then(|nft| forward_blockers(&nft, bridge))?;
    for blocker in blockers {
        let (text, command) = blocker.told(bridge);
        // Nobody to tell if this fails.
        let _ = writeln!(std::io::stderr(), "rbridge: {text}\nhint: {command}");
    }
    Ok(())
}

fn publish_all(common: &Common, ports: &[String]) -> Result {
    let ports = kit_cli::names(ports, &["port"])?;
    // All are read before the first is published.
    let ports: std::result::Result<Vec<Published>, BridgeError> =
        ports.iter().map(|port| Published::parse(port)).collect();
    let ports = ports?;
    let (instance, place) = common.start("publishing a port")?;
    for port in ports {
        common.run(
            publish::plan(&instance, &place, port),
            Some(&port.to_string()),
        )?;
    }
    Ok(0)
}

impl Row for list::Entry {
    const HEAD: &'static [&'static str] =
        &["NAME", "STATE", "ADDRESSES", "NAT", "PORTS", "PUBLISHED"];

    fn cells(&self) -> Vec<String> {
        let word = |on, yes: &str, no: &str| if on { yes } else { no }.to_owned();
        vec![
            self.name.clone(),
            word(self.up, "up", "down"),
            self.addresses.join(" "),
            word(self.nat, "on", "off"),
            self.ports.join(" "),
            self.published.join(" "),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
