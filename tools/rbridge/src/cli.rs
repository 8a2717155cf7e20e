//! The command line of `rbridge`.

mod containers;
mod examples;
mod show;
mod work;

use std::io::Write;

use clap::{Parser, Subcommand, ValueEnum};
use kit_cli::{Act, Failure, Output, Result};
use kit_net::Cidr;

use self::show::show;
use self::work::{BRIDGES, Common, LINKS, instance, is_there, names, place};
use crate::{BridgeError, Place, Published, bridge, forward_blockers, nat, publish};

/// Bridges: a switch, with a router on it
#[derive(Parser)]
#[command(name = "rbridge", version, after_help = EXAMPLES, disable_help_subcommand = true, mut_subcommands = examples::of)]
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
        /// Of this network namespace: a name, pid:N, or a path
        #[arg(long, value_name = "NETNS")]
        netns: Option<String>,
    },
    /// Show one bridge; without a name, all
    Show {
        #[command(flatten)]
        output: Output,
        /// Of this network namespace: a name, pid:N, or a path
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
        /// on, or off
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

/// Does what was asked for; its exit code.
pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Add {
            common,
            addr,
            names,
        } => {
            let names = {
                // One that is typed may be called so.
                let typed = !names.iter().any(|name| name == "-");
                work::names(&names, "bridge", BRIDGES, |_| typed)?
            };
            let mut work = common.start("making a bridge", "rbridge add")?;
            for text in &names {
                let (name, place) = work.at(text)?;
                let plan = bridge::add_plan(&work.instance, &place, name, &addr);
                work.run(plan, Some(&place.named(name)))?;
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
            let links = names(&links, "link", LINKS, is_there)?;
            let mut work = common.start("detaching a link", "rbridge detach")?;
            kit_cli::each(&links, |link| {
                let (link, place) = work.at(link)?;
                work.run(bridge::detach_plan(&place, link), None)
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
            let ports = names(&ports, "port", BRIDGES, |_| false)?;
            let mut work = common.start("unpublishing a port", "rbridge unpublish")?;
            kit_cli::each(&ports, |port| {
                let (port, place) = work.port_at(port)?;
                match publish::unpublish_plan(&work.instance, &place, port) {
                    Err(BridgeError::NotPublished { .. }) if force => Ok(()),
                    plan => work.run(plan, None),
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
    let names = work::names(names, "bridge", BRIDGES, is_there)?;
    let mut work = common.start("deleting a bridge", "rbridge del")?;
    kit_cli::each(&names, |text| {
        let (name, place) = work.at(text)?;
        match bridge::del_plan(&work.instance, &place, name, only_ours) {
            Err(BridgeError::NoBridge { .. }) if force => Ok(()),
            plan => work.run(plan, None),
        }
    })
}

fn set(common: &Common, bridge: &str, add: &[Cidr], del: &[Cidr]) -> Result {
    if add.is_empty() && del.is_empty() {
        let nothing = "setting up a bridge: nothing is to be changed";
        return Err(Failure::usage(nothing).hint("name --addr or --del-addr"));
    }
    let mut work = common.start("changing a bridge", "rbridge set")?;
    let (name, place) = work.at(bridge)?;
    work.run(crate::set_plan(&place, name, add, del), None)?;
    Ok(0)
}

fn attach(common: &Common, bridge: &str, links: &[String], force: bool) -> Result {
    let links = names(links, "link", LINKS, is_there)?;
    let mut work = common.start("attaching a link", "rbridge attach")?;
    let (bridge, place) = work.at(bridge)?;
    // A link without `@NETNS` is where the bridge is.
    work.place = place.clone();
    kit_cli::each(&links, |text| {
        let (link, there) = work.at(text)?;
        if there != place {
            let (link, bridge) = (text.to_owned(), bridge.to_owned());
            return Err(BridgeError::Apart { link, bridge }.into());
        }
        work.run(bridge::attach_plan(&place, bridge, link, force), None)
    })
}

fn switch_nat(common: &Common, bridge: &str, switch: Switch) -> Result {
    let mut work = common.start("switching translation", "rbridge nat")?;
    let (bridge, place) = work.at(bridge)?;
    match switch {
        Switch::On => {
            work.run(nat::on_plan(&work.instance, &place, bridge), None)?;
            warn(&place, bridge)?;
        }
        Switch::Off => work.run(nat::off_plan(&work.instance, &place, bridge), None)?,
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
    let ports = names(ports, "port", BRIDGES, |_| false)?;
    let mut work = common.start("publishing a port", "rbridge publish")?;
    // All are read before the first is published.
    let read = |text: &String| {
        let (port, place) = work.port_at(text)?;
        Ok((Published::parse(port)?, place))
    };
    let ports: Result<Vec<(Published, Place)>> = ports.iter().map(read).collect();
    for (port, place) in ports? {
        let made = place.named(&port.to_string());
        work.run(publish::plan(&work.instance, &place, port), Some(&made))?;
    }
    Ok(0)
}
