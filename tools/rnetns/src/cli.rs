//! The command line of `rnetns`.

mod examples;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use kit_cli::{Act, Failure, Output, Result, Row, need_root};

use crate::name::check_name;
use crate::{Netns, NetnsError, enter, list, owner};

/// Network namespaces: a host, without a host
#[derive(Parser)]
#[command(name = "rnetns", version, after_help = EXAMPLES, disable_help_subcommand = true, mut_subcommands = examples::of)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rnetns add blue                      a namespace with lo up
  rnetns exec blue -- ip addr          a program inside
  rnetns list --jsonl                  for other programs
  rnetns add - <names                  one a line, or the JSON of another command
  rnetns list -q | grep ^lab | rnetns del -";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Make namespaces, each with lo up
    #[command(visible_alias = "create")]
    Add {
        #[command(flatten)]
        act: Act,
        /// Leave lo down, as ip-netns(8) does
        #[arg(long)]
        lo_down: bool,
        /// Names; - reads them from standard input
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Delete namespaces' names
    #[command(visible_aliases = ["delete", "rm", "remove"])]
    Del {
        #[command(flatten)]
        act: Act,
        /// Be quiet about a name that is not there
        #[arg(long, short)]
        force: bool,
        /// With - also what container engines keep for themselves
        #[arg(long)]
        all_owners: bool,
        /// Names; - reads them from standard input
        #[arg(required = true, value_name = "NETNS")]
        names: Vec<String>,
    },
    /// List the named namespaces
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show one namespace with its links; all without them
    #[command(visible_alias = "inspect")]
    Show {
        #[command(flatten)]
        output: Output,
        /// A name, pid:N, or a path
        netns: Option<String>,
    },
    /// Run a program inside, with the namespace's /sys and the files of /etc/netns/NAME over those of /etc
    Exec {
        /// A name, pid:N, or a path
        netns: String,
        /// The program and its words, after -- or without it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

/// What is said of a verb of ip-netns(8) that is none of ours. For `kit_cli::advised_by`.
pub fn advice(argv: &[OsString], word: &str) -> Option<Failure> {
    let of = argv.get(2).map_or_else(|| "$$".to_owned(), kit_plan::quote);
    let hint = match word {
        "pids" | "identify" => format!("ip netns {word} {of}"),
        "attach" => format!("ip netns attach {of} PID"),
        "monitor" => "ip netns monitor".to_owned(),
        _ => return None,
    };
    let text = format!("\"{word}\" is not a verb of rnetns");
    Some(Failure::usage(text).hint(hint))
}

/// Does what was asked for; its exit code.
pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Add {
            act,
            lo_down,
            names,
        } => add(act, lo_down, &names),
        Verb::Del {
            act,
            force,
            all_owners,
            names,
        } => del(act, force, all_owners, &names),
        Verb::List { output } => output.list(&list::list()?).map(|()| 0),
        Verb::Show { output, netns } => {
            match netns {
                Some(netns) => output.list(&[list::Shown(list::show(&netns)?)])?,
                None => output.list(&list::list()?)?,
            }
            Ok(0)
        }
        Verb::Exec { netns, command } => exec(&Netns::parse(&netns)?, &command),
    }
}

fn exec(netns: &Netns, command: &[OsString]) -> Result {
    need_root("entering a network namespace")?;
    for left_out in enter::like_ip(netns)? {
        kit_cli::warn(left_out);
    }
    Err(kit_sys::exec::exec(command).into())
}

/// Stops at a failure; a name that can never be one is refused before anything is made.
fn add(act: Act, lo_down: bool, names: &[String]) -> Result {
    // One that is typed may be called so.
    let typed = !names.iter().any(|name| name == "-");
    let names = kit_cli::names(names, &["netns"])?;
    kit_cli::refuse_heads(&names, list::Entry::HEAD, "rnetns list -q", |_| typed)?;
    if !act.dry_run {
        need_root("creating a network namespace")?;
    }
    let plans = names.iter().map(|name| crate::add::plan(name, lo_down));
    let plans: Vec<_> = plans.collect::<Result<_, NetnsError>>()?;
    let mut acting = act.start("rnetns add")?;
    for (name, plan) in names.iter().zip(&plans) {
        acting.run(plan)?;
        if !act.dry_run {
            kit_cli::tell(&format!("{name}\n"))?;
        }
    }
    Ok(0)
}

/// Goes on past a failure and reports all; a name that can never be one is refused before anything is deleted.
fn del(act: Act, force: bool, all_owners: bool, given: &[String]) -> Result {
    let names = kit_cli::names(given, &["netns"])?;
    let is_there = |name: &str| crate::del::plan(name).is_ok();
    kit_cli::refuse_heads(&names, list::Entry::HEAD, "rnetns list -q", is_there)?;
    names.iter().try_for_each(|name| check_name(name))?;
    if given.iter().any(|name| name == "-") && !all_owners {
        spare_others(&names)?;
    }
    if !act.dry_run {
        need_root("deleting a network namespace")?;
    }
    let mut acting = act.start("rnetns del")?;
    kit_cli::each(&names, |name| match crate::del::plan(name) {
        Err(NetnsError::Unknown { .. }) if force => Ok(()),
        Err(error) => Err(error.into()),
        Ok(plan) => acting.run(&plan),
    })
}

/// A list of all names is easily piped into `del -`: what a container engine made is refused there.
fn spare_others(names: &[String]) -> Result<()> {
    kit_cli::refuse_listed(names.iter().find_map(|name| {
        let owner = owner::owner(name)?;
        let doing = format!("deleting network namespace \"{name}\"");
        Some((doing, format!("it is {owner}'s")))
    }))
}

impl Row for list::Entry {
    const HEAD: &'static [&'static str] = &["NAME", "INODE", "PIDS"];

    fn cells(&self) -> Vec<String> {
        let pids: Vec<String> = self.pids.iter().map(ToString::to_string).collect();
        let inode = self
            .inode
            .map_or_else(|| "dead".to_owned(), |inode| inode.to_string());
        vec![self.name.clone(), inode, pids.join(",")]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

impl Row for list::Shown {
    const HEAD: &'static [&'static str] = &["NAME", "INODE", "PIDS", "LINKS"];

    fn cells(&self) -> Vec<String> {
        let link = |link: &list::LinkEntry| {
            let state = if link.up { "up" } else { "down" };
            format!("{}({state}) {}", link.name, link.addresses.join(" "))
                .trim_end()
                .to_owned()
        };
        let links: Vec<String> = self.0.links.iter().map(link).collect();
        let mut cells = self.0.cells();
        cells.push(links.join(", "));
        cells
    }

    fn name(&self) -> String {
        self.0.name()
    }
}
