//! `rrun volume ls`, `rm` and `prune`. A volume is made by its first use: `-v NAME:/path`.

mod filter;

use std::io::Write;

use box_ops::volume::remove::{self, Volume};
use box_state::Containers;
use kit_cli::{Act, Failure, Output, Result, Row, emit, template};
use serde::Serialize;
use serde_json::{Value, json};

use self::filter::{Filters, LOCAL};
use super::steps::{carry_out, fault};
use super::switches::Switches;

#[derive(clap::Args)]
#[command(mut_subcommands = super::examples::of_volume)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand)]
enum Verb {
    /// List volumes
    #[command(visible_alias = "list")]
    Ls(Switches<LsArgs>),
    /// Remove volumes that no container uses
    #[command(visible_alias = "remove")]
    Rm(Switches<RmArgs>),
    /// Remove the volumes without a name that no container uses
    Prune(Switches<PruneArgs>),
}

#[derive(clap::Args)]
struct LsArgs {
    #[command(flatten)]
    output: Output,
    /// name=REGEX, driver=local, label=K[=V], dangling=true: those that no container uses
    #[arg(short, long)]
    filter: Vec<String>,
    /// json, a template ({{.Name}}), or table and a template with \t between columns
    #[arg(long, conflicts_with_all = ["json", "jsonl", "quiet"])]
    format: Option<String>,
}

#[derive(clap::Args)]
struct RmArgs {
    #[command(flatten)]
    act: Act,
    /// Be quiet about a volume that does not exist
    #[arg(short, long)]
    force: bool,
    /// Volumes; - reads them from standard input
    #[arg(required = true, value_name = "VOLUME")]
    volumes: Vec<String>,
}

#[derive(clap::Args)]
struct PruneArgs {
    #[command(flatten)]
    act: Act,
    /// Those with a name too
    #[arg(short, long)]
    all: bool,
    /// Do not ask first
    #[arg(short, long)]
    force: bool,
}

#[derive(Serialize)]
struct Listed {
    schema: u32,
    kind: &'static str,
    name: String,
    #[serde(rename = "Name")]
    docker_name: String,
    #[serde(rename = "Driver")]
    driver: &'static str,
    #[serde(rename = "Scope")]
    scope: &'static str,
    #[serde(rename = "Mountpoint")]
    mountpoint: String,
}

impl Row for Listed {
    const HEAD: &'static [&'static str] = &["DRIVER", "VOLUME NAME"];

    fn cells(&self) -> Vec<String> {
        vec![self.driver.to_owned(), self.name.clone()]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}

pub fn run(args: &Args, containers: impl Fn(Act) -> Result<Containers>) -> Result {
    match &args.verb {
        Verb::Ls(args) => list(&args.0, &containers(Act::default())?),
        Verb::Rm(args) => rm(&args.0, &containers(args.0.act)?),
        Verb::Prune(args) => prune(&args.0, &containers(args.0.act)?),
    }
}

fn list(args: &LsArgs, containers: &Containers) -> Result {
    let mut all = remove::all(containers);
    let filters = Filters::parse(&args.filter)?;
    all.retain(|volume| filters.pass(volume));
    let rows: Vec<Listed> = all.iter().map(listed).collect();
    kit_cli::tables_like_docker();
    match template::asked(args.format.as_deref()) {
        None | Some("table") => {}
        Some(format) => {
            let objects = all.iter().map(formatted_as);
            let text = match format {
                "json" => objects.map(|one| one.to_string() + "\n").collect(),
                format => template::formatted(format, heads(), objects, kit_cli::rows_like_docker)?,
            };
            emit(&text)?;
            return Ok(0);
        }
    }
    args.output.list(&rows)?;
    Ok(0)
}

/// docker's fields. Sizes are measured by du(1) alone.
fn formatted_as(volume: &Volume) -> Value {
    let listed = listed(volume);
    json!({
        "Name": listed.docker_name,
        "Driver": listed.driver,
        "Scope": listed.scope,
        "Mountpoint": listed.mountpoint,
        "Labels": filter::labels(volume),
        "Links": "N/A",
        "Size": "N/A",
    })
}

fn heads() -> Value {
    json!({
        "Name": "VOLUME NAME",
        "Driver": "DRIVER",
        "Scope": "SCOPE",
        "Mountpoint": "MOUNTPOINT",
        "Labels": "LABELS",
        "Links": "LINKS",
        "Size": "SIZE",
    })
}

fn listed(volume: &Volume) -> Listed {
    Listed {
        schema: 1,
        kind: "volume",
        name: volume.name.clone(),
        docker_name: volume.name.clone(),
        driver: LOCAL,
        scope: "local",
        mountpoint: volume.data().display().to_string(),
    }
}

fn rm(args: &RmArgs, containers: &Containers) -> Result {
    let names = kit_cli::names(&args.volumes, &["volume"])?;
    let is_there = |name: &str| remove::find(containers, name).is_ok();
    kit_cli::refuse_heads(&names, Listed::HEAD, "rrun volume ls -q", is_there)?;
    kit_cli::each(&names, |name| {
        let volume = match remove::find(containers, name) {
            Err(_) if args.force => return Ok(()),
            found => found.map_err(fault)?,
        };
        gone(&volume, args.act, containers)
    })
}

fn prune(args: &PruneArgs, containers: &Containers) -> Result {
    if !args.force && !args.act.dry_run && !is_confirmed(args.all)? {
        let failure = Failure::new("removing volumes: the answer was not \"y\"");
        return Err(failure.hint("rrun volume prune -f does not ask"));
    }
    let is_unused = |volume: &Volume| volume.user().is_none();
    let mut failures = kit_cli::Failures::default();
    for volume in remove::all(containers) {
        let meant = args.all || volume.is_anonymous();
        if meant
            && is_unused(&volume)
            && !failures.is_interrupted()
            && let Err(error) = gone(&volume, args.act, containers)
        {
            failures.add(error);
        }
    }
    failures.end()
}

/// Removes it, and says its name as docker does.
fn gone(volume: &Volume, act: Act, containers: &Containers) -> Result<()> {
    let plan = remove::removal(volume).map_err(fault)?;
    carry_out(act, &plan, containers)?;
    if act.dry_run {
        return Ok(());
    }
    emit(&format!("{}\n", volume.name))
}

/// docker's question.
fn is_confirmed(all: bool) -> Result<bool> {
    let which = if all {
        "all volumes"
    } else {
        "all volumes without a name"
    };
    let text = format!(
        "WARNING! This will remove {which} that no container uses.\nAre you sure you want to continue? [y/N] "
    );
    let _ = std::io::stderr().write_all(text.as_bytes());
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|e| Failure::doing("reading the answer", e))?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}
