//! The command line of `rveth`.

mod del;
mod examples;
mod owner;

use std::net::IpAddr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use kit_cli::{Act, Failure, Output, Result, Row, need_root};
use kit_net::Cidr;
use kit_plan::Plan;
use rnetns::Netns;

use crate::{Link, Mac, MacvlanMode, add, list, set};

/// Virtual Ethernet: a cable between two network namespaces
#[derive(Parser)]
#[command(name = "rveth", version, after_help = EXAMPLES, disable_help_subcommand = true, mut_subcommands = examples::of)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rveth add left@blue right@green                          a cable between two namespaces
  rveth add v0 eth0@blue --addr 10.0.0.1/24 --peer-addr 10.0.0.2/24 --peer-gw 10.0.0.1
  rveth add eth0@blue --macvlan ens3 --addr 192.0.2.9/24   a plug of its own on the LAN
  rveth set v0 --mtu 1400 --up
  seq 9 | sed 's/.*/v& eth&@blue/' | rveth add -           nine of them
  rveth list --netns blue -q | rveth del -                 all cables of blue go";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Make a cable with both its ends up, or a macvlan
    #[command(visible_alias = "create")]
    Add(Add),
    /// Delete links; with one end of a cable goes the other
    #[command(visible_aliases = ["delete", "rm", "remove"])]
    Del {
        #[command(flatten)]
        act: Act,
        /// Be quiet about a link that is not there
        #[arg(long, short)]
        force: bool,
        /// With - also what rrun, docker and others made
        #[arg(long)]
        all_owners: bool,
        /// NAME or NAME@NETNS; - reads them from standard input
        #[arg(required = true)]
        links: Vec<String>,
    },
    /// List veths and macvlans, each with its other end
    #[command(visible_aliases = ["ls", "show"])]
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
    #[command(visible_alias = "change")]
    Set(Set),
}

#[derive(Args)]
struct Add {
    #[command(flatten)]
    act: Act,
    /// NAME or NAME@NETNS; - reads cables from standard input, the two ends of each on a line
    a: String,
    /// The other end: NAME or NAME@NETNS
    #[arg(conflicts_with = "macvlan")]
    b: Option<String>,
    /// An address of the first end; may be repeated
    #[arg(long, value_name = "CIDR")]
    addr: Vec<Cidr>,
    /// A default route for the first end's namespace
    #[arg(long, value_name = "IP")]
    gw: Vec<IpAddr>,
    /// Its hardware address
    #[arg(long)]
    mac: Option<Mac>,
    /// Of both ends, in bytes
    #[arg(long, value_parser = mtu())]
    mtu: Option<u32>,
    /// An address of the other end; may be repeated
    #[arg(long, value_name = "CIDR", conflicts_with = "macvlan")]
    peer_addr: Vec<Cidr>,
    /// A default route for the other end's namespace
    #[arg(long, value_name = "IP", conflicts_with = "macvlan")]
    peer_gw: Vec<IpAddr>,
    /// The other end's hardware address
    #[arg(long, value_name = "MAC", conflicts_with = "macvlan")]
    peer_mac: Option<Mac>,
    /// No cable: a second plug on this device of our own namespace
    #[arg(long, value_name = "PARENT")]
    macvlan: Option<String>,
    /// How macvlans of one parent reach each other
    #[arg(long, requires = "macvlan", default_value = "bridge")]
    mode: Mode,
}

/// What a veth can have, `ETH_MIN_MTU` to `ETH_MAX_MTU` of linux/if_ether.h.
fn mtu() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(68..=65535)
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
    /// The largest packet, in bytes
    #[arg(long, value_parser = mtu())]
    mtu: Option<u32>,
    /// Its hardware address
    #[arg(long)]
    mac: Option<Mac>,
    /// Set it up
    #[arg(long, conflicts_with = "down")]
    up: bool,
    /// Set it down
    #[arg(long)]
    down: bool,
    /// Rename it
    #[arg(long)]
    name: Option<String>,
    /// Move it to this namespace, where it begins down and without addresses
    #[arg(long, value_name = "NETNS")]
    netns: Option<String>,
}

/// Does what was asked for; its exit code.
pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Add(verb) => verb.run(),
        Verb::Del {
            act,
            force,
            all_owners,
            links,
        } => del::del(act, force, all_owners, &links),
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
        let all = if self.a == "-" {
            self.of_standard_input()?
        } else {
            vec![self.plan(&self.a, self.b.as_deref())?]
        };
        if !self.act.dry_run {
            need_root("creating a link")?;
        }
        let mut acting = self.act.start("rveth add")?;
        for (plan, names) in &all {
            acting.run(plan)?;
            if !self.act.dry_run {
                kit_cli::tell(&format!("{}\n", names.join("\n")))?;
            }
        }
        Ok(0)
    }

    /// A line has what the command line would have. What only one link can have is for one.
    fn of_standard_input(&self) -> Result<Vec<(Plan, Vec<String>)>> {
        let only_one = !(self.addr.is_empty() && self.peer_addr.is_empty())
            || self.mac.or(self.peer_mac).is_some();
        if only_one || self.b.is_some() {
            let text =
                "adding links from standard input: an address or a second name is one link's";
            return Err(Failure::usage(text).hint("rveth set gives each its own, afterwards"));
        }
        let lines = kit_cli::names(std::slice::from_ref(&self.a), &["cable"])?;
        kit_cli::refuse_heads(&lines, list::HEAD, "rveth list -q", |_| false)?;
        let plan = |line: &String| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [a] => self.plan(a, None),
            [a, b] if self.macvlan.is_none() => self.plan(a, Some(b)),
            _ => Err(Failure::usage(format!(
                "reading \"{line}\" from standard input: it is not the two ends of a cable"
            ))),
        };
        lines.iter().map(plan).collect()
    }

    fn plan(&self, a: &str, b: Option<&str>) -> Result<(Plan, Vec<String>)> {
        let a = add::Wanted {
            link: Link::parse(a)?,
            addrs: self.addr.clone(),
            gateways: self.gw.clone(),
            mac: self.mac,
            mtu: self.mtu,
        };
        let mut names = vec![a.link.to_string()];
        let plan = match (b, &self.macvlan) {
            (Some(b), _) => {
                let b = add::Wanted {
                    link: Link::parse(b)?,
                    addrs: self.peer_addr.clone(),
                    gateways: self.peer_gw.clone(),
                    mac: self.peer_mac,
                    mtu: self.mtu,
                };
                names.push(b.link.to_string());
                let plan = add::pair(&a, &b)?;
                a.exists()?;
                b.exists()?;
                plan
            }
            (None, Some(parent)) => {
                let plan = add::macvlan(&a, parent, self.mode.into())?;
                a.exists()?;
                plan
            }
            (None, None) => {
                let text = format!("adding link \"{}\": its other end is missing", a.link);
                return Err(
                    Failure::usage(text).hint("rveth add A B, or rveth add A --macvlan PARENT")
                );
            }
        };
        Ok((plan, names))
    }
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
    const HEAD: &'static [&'static str] = list::HEAD;

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
