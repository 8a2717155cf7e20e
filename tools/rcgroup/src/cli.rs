//! The command line of `rcgroup`.

mod examples;
mod rows;

use std::collections::BTreeSet;
use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};
use kit_cli::{Act, Failure, Output, Result, Row, emit, need_root, tell};

use crate::stats::{Entry, Stats};
use crate::{
    CgroupError, Group, Hierarchies, Limits, UNLIMITED, parse_bytes, parse_cpus, parse_pids,
};

/// Control groups: this much and no more
#[derive(Parser)]
#[command(name = "rcgroup", version, after_help = EXAMPLES, disable_help_subcommand = true, mut_subcommands = examples::of)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rcgroup create web -m 64m --pids-limit 50      a group with limits
  rcgroup exec web -- sh                         a program in it
  rcgroup stats web                              what it uses
  rcgroup map --cpu-shares 512                   which kernel file that becomes
  rcgroup del web";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Make cgroups, with limits
    #[command(visible_aliases = ["add", "new"])]
    Create {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        limits: LimitFlags,
        /// Names; - reads them from standard input
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Delete cgroups
    #[command(visible_aliases = ["delete", "rm", "remove"])]
    Del {
        #[command(flatten)]
        act: Act,
        /// Kill what is inside, remove what is below, be quiet about what is not there
        #[arg(long, short)]
        force: bool,
        /// With - also what systemd, docker and others made
        #[arg(long)]
        all_owners: bool,
        /// Names; - reads them from standard input
        #[arg(required = true, value_name = "CGROUP")]
        names: Vec<String>,
    },
    /// List cgroups, all of the host's or those below one
    #[command(visible_alias = "ls")]
    List {
        #[command(flatten)]
        output: Output,
        /// The cgroup
        name: Option<String>,
    },
    /// Show one cgroup: its limits, and what it uses of them
    #[command(visible_alias = "inspect")]
    Show {
        #[command(flatten)]
        output: Output,
        /// The cgroup
        #[arg(value_name = "CGROUP")]
        name: String,
    },
    /// Change the limits of a cgroup; one that is not named stays
    #[command(visible_alias = "update")]
    Set {
        #[command(flatten)]
        act: Act,
        #[command(flatten)]
        limits: LimitFlags,
        /// The cgroup
        #[arg(value_name = "CGROUP")]
        name: String,
    },
    /// Print a kernel file of a cgroup: rcgroup get web pids.max
    Get {
        /// The cgroup
        #[arg(value_name = "CGROUP")]
        name: String,
        /// A kernel file, like pids.max
        file: String,
    },
    /// Run a program in a cgroup
    Exec {
        /// The cgroup
        #[arg(value_name = "CGROUP")]
        name: String,
        /// The program and its words, after -- or without it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<OsString>,
    },
    /// What cgroups use
    Stats {
        #[command(flatten)]
        output: Output,
        /// Names; - reads them from standard input
        #[arg(required = true, value_name = "CGROUP")]
        names: Vec<String>,
    },
    /// Print which kernel files limits become, and by which formula
    Map {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        limits: LimitFlags,
    },
}

// docker's words.
#[derive(Args)]
struct LimitFlags {
    /// Memory, like 100m or 2g; 0 or -1 for no limit
    #[arg(short, long, allow_hyphen_values = true)]
    memory: Option<String>,
    /// Memory and swap together, so not less than memory; -1 for no limit
    #[arg(long, allow_hyphen_values = true)]
    memory_swap: Option<String>,
    /// Memory that is left alone while there is enough; -1 for none
    #[arg(long, allow_hyphen_values = true)]
    memory_reservation: Option<String>,
    /// CPUs, like 1.5; 0 or -1 for no limit
    #[arg(long, allow_hyphen_values = true)]
    cpus: Option<String>,
    /// CPU weight, 2 to 262144, 1024 by default
    #[arg(short, long)]
    cpu_shares: Option<u64>,
    /// CPUs to run on, like 0-2,4
    #[arg(long)]
    cpuset_cpus: Option<String>,
    /// Memory nodes
    #[arg(long)]
    cpuset_mems: Option<String>,
    /// Processes and threads; 0 or -1 for no limit
    #[arg(long, allow_hyphen_values = true)]
    pids_limit: Option<String>,
    /// Block I/O weight, 10 to 1000
    #[arg(long, value_parser = clap::value_parser!(u16).range(10..=1000))]
    blkio_weight: Option<u16>,
}

impl LimitFlags {
    /// A new group has no limit to be lifted: there a -1 is a slip, as in docker.
    fn of_new_group(&self) -> Result<()> {
        let flags = [
            ("--memory", &self.memory),
            ("--memory-reservation", &self.memory_reservation),
            ("--cpus", &self.cpus),
        ];
        match flags.iter().find(|(_, text)| text.as_deref() == Some("-1")) {
            None => Ok(()),
            Some((flag, _)) => {
                let text = format!("reading {flag} \"-1\": a new cgroup has no limit yet");
                Err(Failure::usage(text).hint(format!("leave {flag} out")))
            }
        }
    }

    fn limits(self) -> std::result::Result<Limits, CgroupError> {
        let bytes = |text| or_unlimited(text, parse_bytes);
        let memory_swap_bytes = match self.memory_swap.as_deref() {
            None => None,
            Some("-1") => Some(-1),
            // No size is beyond an i64.
            Some(text) => Some(i64::try_from(parse_bytes(text)?).unwrap_or(i64::MAX)),
        };
        Ok(Limits {
            memory_bytes: bytes(self.memory)?,
            memory_swap_bytes,
            memory_reservation_bytes: bytes(self.memory_reservation)?,
            nano_cpus: or_unlimited(self.cpus, parse_cpus)?,
            cpu_shares: self.cpu_shares,
            cpuset_cpus: self.cpuset_cpus,
            cpuset_mems: self.cpuset_mems,
            pids: self.pids_limit.as_deref().map(parse_pids).transpose()?,
            blkio_weight: self.blkio_weight,
        })
    }
}

/// docker's 0 and -1.
fn or_unlimited(
    text: Option<String>,
    parse: fn(&str) -> std::result::Result<u64, CgroupError>,
) -> std::result::Result<Option<u64>, CgroupError> {
    let value = |text: String| match text.as_str() {
        "-1" | "0" => Ok(UNLIMITED),
        text => parse(text),
    };
    text.map(value).transpose()
}

/// Does what was asked for; its exit code.
pub fn dispatch(cli: Cli) -> Result {
    let host = Hierarchies::detect()?;
    match cli.verb {
        Verb::Create { act, limits, names } => {
            limits.of_new_group()?;
            // One that is typed may be called so.
            let typed = !names.iter().any(|name| name == "-");
            let (names, limits) = (groups(&names, |_| typed)?, limits.limits()?);
            root_unless(act, "creating a cgroup")?;
            let mut acting = act.start("rcgroup create")?;
            for name in &names {
                acting.run(&crate::create::plan(&host, name, &limits)?)?;
                if !act.dry_run {
                    tell(&format!("{name}\n"))?;
                }
            }
            Ok(0)
        }
        Verb::Del {
            act,
            force,
            all_owners,
            names: given,
        } => {
            let names = groups(&given, |name| host.existing(name).is_ok())?;
            if given.iter().any(|name| name == "-") && !all_owners {
                spare_others(&names)?;
            }
            root_unless(act, "deleting a cgroup")?;
            let mut acting = act.start("rcgroup del")?;
            kit_cli::each(&names, |name| match crate::del::plan(&host, name, force) {
                Err(CgroupError::Unknown { .. }) if force => Ok(()),
                Err(error) => Err(error.into()),
                Ok(plan) => acting.run_for_good(&plan),
            })
        }
        Verb::List { output, name } => {
            output.list(&crate::stats::list(&host, name.as_deref())?)?;
            Ok(0)
        }
        Verb::Show { output, name } => {
            rows::show(output, crate::show::show(&host, &name)?)?;
            Ok(0)
        }
        Verb::Set { act, limits, name } => {
            let limits = limits.limits()?;
            if limits == Limits::default() {
                let nothing = format!("changing cgroup \"{name}\": no limit is given");
                return Err(Failure::usage(nothing).hint("see rcgroup set --help"));
            }
            root_unless(act, "changing a cgroup")?;
            act.run(&crate::set::plan(&host, &name, &limits)?)?;
            Ok(0)
        }
        Verb::Get { name, file } => get(&host, &name, &file),
        Verb::Exec { name, command } => {
            need_root("joining a cgroup")?;
            match crate::exec::exec(&host, &name, &command) {
                Err(error) => Err(error.into()),
            }
        }
        Verb::Stats { output, names } => {
            let names = groups(&names, |name| host.existing(name).is_ok())?;
            let all: std::result::Result<Vec<Stats>, _> = names
                .iter()
                .map(|name| crate::stats::stats(&host, name))
                .collect();
            output.list(&all?)?;
            Ok(0)
        }
        Verb::Map { output, limits } => {
            let limits = limits.limits()?;
            output.list(&crate::map::both(host.mode, &limits)?)?;
            Ok(0)
        }
    }
}

/// Names that are not the head of a table.
fn groups(given: &[String], is_there: impl Fn(&str) -> bool) -> Result<Vec<String>> {
    let names = kit_cli::names(given, &["cgroup"])?;
    kit_cli::refuse_heads(&names, Entry::HEAD, "rcgroup list -q", is_there)?;
    Ok(names)
}

fn root_unless(act: Act, doing: &str) -> Result<()> {
    if act.dry_run {
        Ok(())
    } else {
        need_root(doing)
    }
}

fn get(host: &Hierarchies, name: &str, file: &str) -> Result {
    if file.contains('/') {
        return Err(Failure::usage(format!(
            "reading \"{file}\": a control file's name has no slash"
        )));
    }
    let group = host.existing(name)?;
    let path = group
        .unique_dirs()
        .into_iter()
        .map(|dir| dir.join(file))
        .find(|path| path.is_file());
    let Some(path) = path else {
        let text = format!("reading \"{file}\" of cgroup \"{name}\": no such file");
        return Err(Failure::new(text).hint(other_file(&group, file)));
    };
    let text = crate::read(&path)?;
    // An empty file has no line.
    if !text.is_empty() {
        emit(&format!("{text}\n"))?;
    }
    Ok(0)
}

/// What was probably meant by a file that is not there: the other version's word, or a slip.
fn other_file(group: &Group, file: &str) -> String {
    let dirs = group.unique_dirs();
    let files: BTreeSet<String> = dirs
        .iter()
        .flat_map(|dir| std::fs::read_dir(dir).into_iter().flatten().flatten())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    let name = kit_plan::quote(&group.name);
    if let Some(here) = crate::map::counterpart(file).filter(|here| files.contains(*here)) {
        return format!("this host calls it \"{here}\": rcgroup get {name} {here}");
    }
    if let Some(near) = kit_units::nearest(file, &files) {
        return format!("did you mean \"{near}\"?");
    }
    let dirs: Vec<String> = dirs
        .iter()
        .map(|dir| kit_plan::quote(dir.as_os_str()))
        .collect();
    format!("ls {} shows what there is", dirs.join(" "))
}

/// A list of all groups is easily piped into `del -`: what is another program's is refused there.
fn spare_others(names: &[String]) -> Result<()> {
    kit_cli::refuse_listed(names.iter().find_map(|name| {
        let owner = owner(name.split('/').next().unwrap_or(name))?;
        let doing = format!("deleting cgroup \"{name}\"");
        Some((doing, format!("it is {owner}'s")))
    }))
}

/// Who makes groups of that name at the root of a hierarchy.
fn owner(top: &str) -> Option<&'static str> {
    let ends = |ending: &str| top.ends_with(ending);
    match top {
        "boxkit" | "boxkit.slice" => Some("rrun"),
        _ if top.starts_with("boxkit-") => Some("rrun"),
        _ if ends(".slice") || ends(".scope") || ends(".service") || ends(".mount") => {
            Some("systemd")
        }
        "docker" | "buildkit" => Some("docker"),
        "kubepods" | "kubelet" => Some("Kubernetes"),
        "machine" | "libpod_parent" => Some("podman"),
        "k8s.io" => Some("containerd"),
        "lxc" => Some("lxc"),
        _ if top.starts_with("lxc.payload") || top.starts_with("lxc.monitor") => Some("lxc"),
        _ => None,
    }
}
