//! The command line of `rveth`.

use std::net::IpAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kit_cli::{Act, Failure, Output, Result, Row, need_root};
use kit_net::Cidr;
use rnetns::Netns;

use crate::{Link, Mac, MacvlanMode, VethError, add, del, list, set};

/// Virtual Ethernet: a cable between two network namespaces
#[derive(Parser)]
#[command(name = "rveth", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rveth add left@blue right@green                          a cable between two namespaces
  rveth add v0 eth0@blue --addr 10.0.0.1/24 --peer-addr 10.0.0.2/24 --peer-gw 10.0.0.1
  rveth add eth0@blue --macvlan ens3 --addr 192.0.2.9/24   a plug of its own on the LAN
  rveth set v0 --mtu 1400 --up
  rveth list --netns blue -q | rveth del -                 all cables of blue go";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Make a cable with both its ends up, or a macvlan
    Add(Add),
    /// Delete links; with one end of a cable goes the other
    Del {
        #[command(flatten)]
        act: Act,
        /// Be quiet about a link that is not there
        #[arg(long, short)]
        force: bool,
        /// NAME or NAME@NETNS; - reads them from standard input
        #[arg(required = true)]
        links: Vec<String>,
    },
    /// List veths and macvlans, each with its other end
    List {
        #[command(flatten)]
        output: Output,
        /// Those of this namespace: a name, pid:N, or a path
        #[arg(long, value_name = "NETNS")]
        netns: Option<String>,
        /// Those of our own namespace and of all named ones
        #[arg(long, short, conflicts_with = "netns")]
        all: bool,
    },
    /// Change a link
    Set(Set),
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    act: Act,
    /// NAME or NAME@NETNS
    a: String,
    /// The other end: NAME or NAME@NETNS
    #[arg(required_unless_present = "macvlan", conflicts_with = "macvlan")]
    b: Option<String>,
    /// An address of the first end; may be repeated
    #[arg(long, value_name = "CIDR")]
    addr: Vec<Cidr>,
    /// A default route for the first end's namespace
    #[arg(long, value_name = "IP")]
    gw: Vec<IpAddr>,
    #[arg(long)]
    mac: Option<Mac>,
    /// Of both ends, in bytes
    #[arg(long, value_parser = clap::value_parser!(u32).range(68..=65535))]
    mtu: Option<u32>,
    /// An address of the other end; may be repeated
    #[arg(long, value_name = "CIDR", conflicts_with = "macvlan")]
    peer_addr: Vec<Cidr>,
    /// A default route for the other end's namespace
    #[arg(long, value_name = "IP", conflicts_with = "macvlan")]
    peer_gw: Vec<IpAddr>,
    #[arg(long, value_name = "MAC", conflicts_with = "macvlan")]
    peer_mac: Option<Mac>,
    /// No cable: a second plug on this device of our own namespace
    #[arg(long, value_name = "PARENT")]
    macvlan: Option<String>,
    /// How macvlans of one parent reach each other
    #[arg(long, requires = "macvlan", default_value = "bridge")]
    mode: Mode,
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Bridge,
    Private,
    Vepa,
    Passthru,
}

impl From<Mode> for MacvlanMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Bridge => Self::Bridge,
            Mode::Private => Self::Private,
            Mode::Vepa => Self::Vepa,
            Mode::Passthru => Self::Passthru,
        }
    }
}

#[derive(Args)]
#[group(id = "changes", required = true, multiple = true, args = ["addr", "del_addr", "mtu", "mac", "up", "down", "name", "netns"])]
struct Set {
    #[command(flatten)]
    act: Act,
    /// NAME or NAME@NETNS
    link: String,
    /// Add an address; may be repeated
    #[arg(long, value_name = "CIDR")]
    addr: Vec<Cidr>,
    /// Remove an address; may be repeated
    #[arg(long, value_name = "CIDR")]
    del_addr: Vec<Cidr>,
    #[arg(long)]
    mtu: Option<u32>,
    #[arg(long)]
    mac: Option<Mac>,
    #[arg(long, conflicts_with = "down")]
    up: bool,
    #[arg(long)]
    down: bool,
    /// Rename it
    #[arg(long)]
    name: Option<String>,
    /// Move it to this namespace, where it begins down and without addresses
    #[arg(long, value_name = "NETNS")]
    netns: Option<String>,
}

pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Add(verb) => verb.run(),
        Verb::Del { act, force, links } => del(act, force, &links),
        Verb::List { output, netns, all } => {
            let netns = netns.as_deref().map(Netns::parse).transpose()?;
            let entries = if all {
                list::list_all()
            } else {
                list::list(netns.as_ref())
            };
            output.list(&entries?)?;
            Ok(0)
        }
        Verb::Set(verb) => verb.run(),
    }
}

impl Add {
    fn run(self) -> Result {
        let a = add::Wanted {
            link: Link::parse(&self.a)?,
            addrs: self.addr,
            gateways: self.gw,
            mac: self.mac,
            mtu: self.mtu,
        };
        let mut names = vec![a.link.to_string()];
        let plan = match (&self.b, &self.macvlan) {
            (Some(b), _) => {
                let b = add::Wanted {
                    link: Link::parse(b)?,
                    addrs: self.peer_addr,
                    gateways: self.peer_gw,
                    mac: self.peer_mac,
                    mtu: self.mtu,
                };
                names.push(b.link.to_string());
                add::pair(&a, &b)
            }
            (None, Some(parent)) => add::macvlan(&a, parent, self.mode.into()),
            (None, None) => return Err(Failure::usage("adding a link: one end is missing")),
        };
        if !self.act.dry_run {
            need_root("creating a link")?;
        }
        self.act.run(&plan?)?;
        if !self.act.dry_run {
            kit_cli::emit(&format!("{}\n", names.join("\n")))?;
        }
        Ok(0)
    }
}

/// Goes on past a failure and reports all. The other end of a cable that has just gone is not missed.
fn del(act: Act, force: bool, names: &[String]) -> Result {
    let names = kit_cli::names(names, &["link"])?;
    if !act.dry_run {
        need_root("deleting a link")?;
    }
    let there = |name: &String| Link::parse(name).is_ok_and(|link| link.find("deleting").is_ok());
    let before: Vec<String> = names.iter().filter(|name| there(name)).cloned().collect();
    kit_cli::each(&names, |name| {
        let planned = Link::parse(name).and_then(|link| del::plan(&link));
        match planned {
            Err(VethError::NoLink { .. }) if force || before.iter().any(|b| b == name) => Ok(()),
            Err(error) => Err(error.into()),
            Ok(plan) => act.run(&plan),
        }
    })
}

impl Set {
    fn run(self) -> Result {
        let link = Link::parse(&self.link)?;
        let netns = self.netns.as_deref().map(Netns::parse).transpose()?;
        let wanted = set::Wanted {
            up: if self.up || self.down {
                Some(self.up)
            } else {
                None
            },
            netns,
            name: self.name,
            mac: self.mac,
            mtu: self.mtu,
            addrs: self.addr,
            del_addrs: self.del_addr,
        };
        if !self.act.dry_run {
            need_root("changing a link")?;
        }
        self.act.run(&set::plan(&link, &wanted)?)?;
        Ok(0)
    }
}

impl Row for list::Entry {
    const HEAD: &'static [&'static str] =
        &["NAME", "TYPE", "PEER", "STATE", "MTU", "MAC", "ADDRESSES"];

    fn cells(&self) -> Vec<String> {
        let state = match (self.up, self.carrier) {
            (true, true) => "up",
            (true, false) => "no carrier",
            (false, _) => "down",
        };
        vec![
            self.name.clone(),
            self.link_type.clone(),
            self.peer.clone().unwrap_or_else(|| "?".to_owned()),
            state.to_owned(),
            self.mtu_bytes.to_string(),
            self.mac.clone(),
            self.addresses.join(" "),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
