//! The command line of `rbridge`.

mod containers;
mod show;

use std::io::Write;

use clap::{Parser, Subcommand, ValueEnum};
use kit_cli::{Act, Failure, Output, Result, need_root};
use kit_net::Cidr;
use kit_plan::{Instance, Plan, Roots};
use rnetns::{Netns, split_link};

use self::show::show;
use crate::{BridgeError, Place, Published, bridge, forward_blockers, nat, publish};

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
  rbridge set br0 --addr 10.2.0.1/24     one more address
  rbridge default --addr 10.9.0.1/16     where containers are, from the next network on
  rbridge del br0                        it goes; veth0 stays";

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
    /// Make bridges, each up; one without an IPv6 address speaks no IPv6
    #[command(aliases = ["create", "addbr"])]
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
    #[command(aliases = ["delete", "remove", "rm", "delbr"])]
    Del {
        #[command(flatten)]
        common: Common,
        /// Be quiet about a bridge that is not there
        #[arg(long, short)]
        force: bool,
        /// Delete, of names from standard input, those too that boxkit did not make
        #[arg(long)]
        all_owners: bool,
        /// BRIDGE, or BRIDGE@NETNS; - reads them from standard input
        #[arg(required = true, value_name = "BRIDGE")]
        names: Vec<String>,
    },
    /// Give a bridge addresses, or take them away
    Set {
        #[command(flatten)]
        common: Common,
        /// BRIDGE, or BRIDGE@NETNS
        bridge: String,
        /// An address for it, such as 10.1.0.1/24; may be repeated
        #[arg(long, value_name = "CIDR")]
        addr: Vec<Cidr>,
        /// One of its addresses, to be taken away first; may be repeated
        #[arg(long, value_name = "CIDR")]
        del_addr: Vec<Cidr>,
    },
    /// List bridges
    #[command(alias = "ls")]
    List {
        #[command(flatten)]
        output: Output,
        #[arg(long, value_name = "NETNS")]
        netns: Option<String>,
    },
    /// Show one bridge; without a name, all
    Show {
        #[command(flatten)]
        output: Output,
        #[arg(long, value_name = "NETNS")]
        netns: Option<String>,
        /// BRIDGE, or BRIDGE@NETNS
        bridge: Option<String>,
    },
    /// Plug links into a bridge
    #[command(aliases = ["connect", "addif"])]
    Attach {
        #[command(flatten)]
        common: Common,
        /// Plug in a cable too that closes a loop, on bridges that break it by themselves
        #[arg(long, short)]
        force: bool,
        /// BRIDGE, or BRIDGE@NETNS
        bridge: String,
        /// LINK, or LINK@NETNS; - reads them from standard input
        #[arg(required = true)]
        links: Vec<String>,
    },
    /// Pull links out of the bridge that they are on; those without an address go down, as they came
    #[command(aliases = ["disconnect", "delif"])]
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
        /// [IP:]PORT:ADDRESS:PORT[/udp], or that with @NETNS; - reads them from standard input
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
        /// [IP:]PORT[:ADDRESS:PORT][/udp], or that with @NETNS; - reads them from standard input
        #[arg(required = true)]
        ports: Vec<String>,
    },
    /// Show which addresses the network of containers has, or choose them
    Default {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        output: Output,
        /// The gateway's address, such as 10.9.0.1/16, from the next time that the network is made
        #[arg(long, value_name = "CIDR", conflicts_with = "auto")]
        addr: Option<Cidr>,
        /// Take the first of a list that is free again
        #[arg(long)]
        auto: bool,
    },
    /// Bring back rules and published ports of containers that another program has flushed
    Repair {
        #[command(flatten)]
        act: Act,
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
                let made = place.named(name);
                common.run(
                    bridge::add_plan(&instance, &place, name, &addr),
                    Some(&made),
                )?;
            }
            Ok(0)
        }
        Verb::Del {
            common,
            force,
            all_owners,
            names,
        } => {
            let only_ours = names.iter().any(|name| name == "-") && !all_owners;
            del(&common, &names, force, only_ours)
        }
        Verb::Set {
            common,
            bridge,
            addr,
            del_addr,
        } => set(&common, &bridge, &addr, &del_addr),
        Verb::List { output, netns } => show(output, netns.as_deref(), None),
        Verb::Show {
            output,
            netns,
            bridge,
        } => show(output, netns.as_deref(), bridge.as_deref()),
        Verb::Attach {
            common,
            force,
            bridge,
            links,
        } => attach(&common, &bridge, &links, force),
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
                let (port, place) = at(port, &place)?;
                match publish::unpublish_plan(&instance, &place, port) {
                    Err(BridgeError::NotPublished { .. }) if force => Ok(()),
                    plan => common.run(plan, None),
                }
            })
        }
        Verb::Default {
            act,
            output,
            addr,
            auto,
        } => containers::default(act, output, addr, auto),
        Verb::Repair { act } => containers::repair(act),
    }
}

fn del(common: &Common, names: &[String], force: bool, only_ours: bool) -> Result {
    let names = kit_cli::names(names, &["bridge"])?;
    let (instance, place) = common.start("deleting a bridge")?;
    kit_cli::each(&names, |text| {
        let (name, place) = at(text, &place)?;
        match bridge::del_plan(&instance, &place, name, only_ours) {
            Err(BridgeError::NoBridge { .. }) if force => Ok(()),
            plan => common.run(plan, None),
        }
    })
}

fn set(common: &Common, bridge: &str, add: &[Cidr], del: &[Cidr]) -> Result {
    if add.is_empty() && del.is_empty() {
        let nothing = "setting up a bridge: nothing is to be changed";
        return Err(Failure::usage(nothing).hint("name --addr or --del-addr"));
    }
    let (_, place) = common.start("changing a bridge")?;
    let (name, place) = at(bridge, &place)?;
    common.run(crate::set_plan(&place, name, add, del), None)?;
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

fn attach(common: &Common, bridge: &str, links: &[String], force: bool) -> Result {
    let links = kit_cli::names(links, &["link"])?;
    let (_, place) = common.start("attaching a link")?;
    let (bridge, place) = at(bridge, &place)?;
    kit_cli::each(&links, |text| {
        let (link, there) = at(text, &place)?;
        if there != place {
            let (link, bridge) = (text.to_owned(), bridge.to_owned());
            return Err(BridgeError::Apart { link, bridge }.into());
        }
        common.run(bridge::attach_plan(&place, bridge, link, force), None)
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
    let (instance, place) = common.start("publishing a port")?;
    // All are read before the first is published.
    let read = |text: &String| {
        let (port, place) = at(text, &place)?;
        Ok((Published::parse(port)?, place))
    };
    let ports: Result<Vec<(Published, Place)>> = ports.iter().map(read).collect();
    for (port, place) in ports? {
        let made = place.named(&port.to_string());
        common.run(publish::plan(&instance, &place, port), Some(&made))?;
    }
    Ok(0)
}
