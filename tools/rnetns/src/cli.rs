//! The command line of `rnetns`.

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use kit_cli::{Act, Output, Result, Row, need_root};

use crate::{Netns, NetnsError, list};

/// Network namespaces: a host, without a host
#[derive(Parser)]
#[command(name = "rnetns", version, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rnetns add blue                      a namespace with lo up
  rnetns exec blue -- ip addr          a program inside
  rnetns list --jsonl                  for other programs
  rnetns list -q | rnetns del -        all of them go";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Make namespaces, each with lo up
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
    Del {
        #[command(flatten)]
        act: Act,
        /// Be quiet about a name that is not there
        #[arg(long, short)]
        force: bool,
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// List the named namespaces
    List {
        #[command(flatten)]
        output: Output,
    },
    /// Show one namespace with its links
    Show {
        #[command(flatten)]
        output: Output,
        /// A name, pid:N, or a path
        netns: String,
    },
    /// Run a program inside a namespace
    Exec {
        /// A name, pid:N, or a path
        netns: String,
        /// The program and its words, after -- or without it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
}

pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Add {
            act,
            lo_down,
            names,
        } => add(act, lo_down, &names),
        Verb::Del { act, force, names } => del(act, force, &names),
        Verb::List { output } => {
            output.list(&list::list()?)?;
            Ok(0)
        }
        Verb::Show { output, netns } => {
            output.list(&[list::show(&netns)?])?;
            Ok(0)
        }
        Verb::Exec { netns, command } => {
            need_root("entering a network namespace")?;
            let netns = Netns::parse(&netns)?;
            match crate::exec::exec(&netns, &command) {
                Err(error) => Err(error.into()),
            }
        }
    }
}

fn add(act: Act, lo_down: bool, names: &[String]) -> Result {
    let names = kit_cli::names(names, &["netns"])?;
    if !act.dry_run {
        need_root("creating a network namespace")?;
    }
    for name in &names {
        act.run(&crate::add::plan(name, lo_down)?)?;
        if !act.dry_run {
            kit_cli::tell(&format!("{name}\n"))?;
        }
    }
    Ok(0)
}

/// Goes on past a failure and reports all.
fn del(act: Act, force: bool, names: &[String]) -> Result {
    let names = kit_cli::names(names, &["netns"])?;
    if !act.dry_run {
        need_root("deleting a network namespace")?;
    }
    kit_cli::each(&names, |name| match crate::del::plan(name) {
        Err(NetnsError::Unknown { .. }) if force => Ok(()),
        Err(error) => Err(error.into()),
        Ok(plan) => act.run(&plan),
    })
}

impl Row for list::Entry {
    const HEAD: &'static [&'static str] = &["NAME", "INODE", "PIDS", "LINKS"];

    fn cells(&self) -> Vec<String> {
        let pids: Vec<String> = self.pids.iter().map(ToString::to_string).collect();
        let link = |link: &list::LinkEntry| {
            let state = if link.up { "up" } else { "down" };
            format!("{}({state}) {}", link.name, link.addresses.join(" "))
                .trim_end()
                .to_owned()
        };
        let links: Vec<String> = self.links.iter().map(link).collect();
        let inode = self
            .inode
            .map_or_else(|| "dead".to_owned(), |inode| inode.to_string());
        vec![self.name.clone(), inode, pids.join(","), links.join(", ")]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
