//! The command line of `rrun`: docker's words. One file a verb.

mod advice;
mod attach;
mod bundle;
mod docker;
mod doctor;
mod elsewhere;
mod examples;
mod exec;
mod flags;
mod gc;
mod groups;
mod image;
mod info;
mod inspect;
mod logs;
mod meant;
mod missing;
mod ours;
mod port;
mod prepare;
mod ps;
mod rm;
mod run;
mod start;
mod steps;
mod stop;
mod switches;
mod top;
mod typed;
mod values;
mod verbs;
mod volume;

use std::ffi::OsString;

use clap::{Parser, Subcommand};
use kit_cli::{Failure, Result, need_root};
use kit_plan::Roots;

pub use advice::advice;
pub use elsewhere::{OF_STOPPED, PLACES, VERBS_ELSEWHERE, Way};
pub use groups::words;
pub use missing::{FLAGS_MISSING, Missing, OF_VALUE};
pub use ours::{OURS, Ours};
pub use run::ahead;
pub use steps::{Watching, watched_by};

use switches::Switches;

use box_state::Containers;
use box_wire::Failed;

/// Containers: docker's words, and you can see why it works
#[derive(Parser)]
#[command(name = "rrun", version, after_help = EXAMPLES, disable_help_subcommand = true, mut_subcommands = examples::of)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  runpack pack -t tools --bin sh ls cat        an image of this machine's programs
  rrun run -it --rm tools sh                   a shell in a container
  rrun run -d --name web -p 8080:80 nginx      in the background, with a port
  rrun run --dry-run tools ls                  the shell script that would do the same
  rrun rm -f $(rrun ps -aq)                    all of them go";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Create a container and run it
    Run(Switches<run::Args>),
    /// Create a container; start runs it
    Create(Switches<run::CreateArgs>),
    /// Start containers that are stopped
    Start(Switches<start::Args>),
    /// Stop containers and start them again
    Restart(stop::RestartArgs),
    /// Wait until containers end, and print their exit codes
    Wait(stop::WaitArgs),
    /// List containers
    Ps(Switches<ps::Args>),
    /// Print a container's output
    Logs(Switches<logs::Args>),
    /// Run one more program in a running container
    Exec(Switches<exec::Args>),
    /// Attach this terminal to a running container
    Attach(Switches<attach::Args>),
    /// Stop containers: their stop signal, then SIGKILL
    Stop(stop::Args),
    /// Send a signal to containers
    Kill(stop::KillArgs),
    /// Remove containers
    Rm(Switches<rm::Args>),
    /// Give a container another name
    Rename(rm::RenameArgs),
    /// Show containers or images as JSON
    Inspect(inspect::Args),
    /// Show a container's processes, by ps(1)
    Top(top::Args),
    /// List published ports
    Port(port::Args),
    /// An OCI bundle of a container, for runc and crun
    Bundle(bundle::Args),
    /// Undo what killed processes left behind
    Gc(gc::Args),
    /// What this installation has and does
    Info(info::Args),
    /// Versions
    Version(info::Args),
    /// Try what this kernel can do, by doing it
    Doctor(doctor::Args),
    /// Load an image from an archive or a layout
    #[command(disable_help_flag = true)]
    Load(image::Files),
    /// Make an image of a root filesystem's archive
    #[command(disable_help_flag = true)]
    Import(image::Files),
    /// Write images to an archive
    #[command(disable_help_flag = true)]
    Save(image::Words),
    /// List images
    #[command(disable_help_flag = true)]
    Images(image::Words),
    /// Give an image one more name
    #[command(disable_help_flag = true)]
    Tag(image::Words),
    /// Remove images
    #[command(disable_help_flag = true)]
    Rmi(image::Words),
    /// How an image was made
    #[command(disable_help_flag = true)]
    History(image::Words),
    /// docker's group of image verbs
    #[command(disable_help_flag = true)]
    Image(image::Words),
    /// Volumes: ls, rm, prune
    Volume(volume::Args),
    /// docker's group of container verbs
    #[command(disable_help_flag = true)]
    Container(image::Words),
    #[command(external_subcommand)]
    Other(Vec<OsString>),
}

/// The verbs, by the parser's own list.
fn verbs() -> Vec<String> {
    let command = <Cli as clap::CommandFactory>::command();
    let names = command.get_subcommands().map(clap::Command::get_name);
    names.map(str::to_owned).collect()
}

/// The same with what each does.
fn verbs_and_abouts() -> Vec<(String, String)> {
    let command = <Cli as clap::CommandFactory>::command();
    let about = |verb: &clap::Command| {
        verb.get_about()
            .map(ToString::to_string)
            .unwrap_or_default()
    };
    let verbs = command.get_subcommands();
    verbs
        .map(|verb| (verb.get_name().to_owned(), about(verb)))
        .collect()
}

/// One arm a verb: the compiler refuses a forgotten one.
pub fn dispatch(cli: Cli) -> Result {
    let open = |act: kit_cli::Act| containers(act.dry_run);
    let all = || containers(false);
    match cli.verb {
        Verb::Run(args) if args.0.create.act.dry_run => run::run(&args.0, &roots(true)?),
        Verb::Run(args) => run::run(&args.0, &all()?),
        Verb::Create(args) => run::create(&args.0, &open(args.0.create.act)?),
        Verb::Start(args) => start::run(&args.0, &open(args.0.act)?),
        Verb::Restart(args) => stop::restart(&args, &open(args.act)?),
        Verb::Wait(args) => stop::wait(&args, &all()?),
        Verb::Ps(args) => ps::run(&args.0, &all()?),
        Verb::Logs(args) => logs::run(&args.0, &all()?),
        Verb::Exec(args) => exec::run(&args.0, &open(args.0.act)?),
        Verb::Attach(args) => attach::run(&args.0, &all()?),
        Verb::Stop(args) => stop::run(&args, &open(args.act)?),
        Verb::Kill(args) => stop::kill(&args, &open(args.act)?),
        Verb::Rm(args) => rm::run(&args.0, &open(args.0.act)?),
        Verb::Rename(args) => rm::rename(&args, &open(args.act)?),
        Verb::Inspect(args) => inspect::run(&args, &all()?),
        Verb::Top(args) => top::run(&args, &all()?),
        Verb::Port(args) => port::run(&args, &all()?),
        Verb::Bundle(args) => bundle::run(&args, &open(args.act)?),
        Verb::Gc(args) => gc::run(&args, &open(args.act)?),
        Verb::Info(args) => info::info(&args, &all()?),
        // Another user than root is told what root would get.
        Verb::Doctor(args) => doctor::run(&args, &roots(!rustix::process::geteuid().is_root())?),
        Verb::Version(args) => info::version(&args),
        Verb::Load(words) => image::verb("load", &words.words),
        Verb::Import(words) => image::verb("import", &words.words),
        Verb::Save(words) => image::verb("save", &words.words),
        Verb::Images(words) => image::verb("images", &words.words),
        Verb::Tag(words) => image::verb("tag", &words.words),
        Verb::Rmi(words) => image::verb("rmi", &words.words),
        Verb::History(words) => image::verb("history", &words.words),
        Verb::Image(args) => groups::alone("image", &args.words),
        Verb::Volume(args) => volume::run(&args, open),
        Verb::Container(args) => groups::alone("container", &args.words),
        Verb::Other(words) => elsewhere::refuse(&words),
    }
}

/// The containers of this instance, for root only. Makes the two roots, but for a dry run.
fn containers(dry_run: bool) -> Result<Containers> {
    need_root("managing containers")?;
    roots(dry_run)
}

fn roots(dry_run: bool) -> Result<Containers> {
    let roots = Roots::from_env()?;
    if !dry_run {
        roots.prepare()?;
    } else if rustix::process::geteuid().is_root() {
        roots.check()?;
    }
    Ok(Containers::new(roots))
}

/// An error on the socket between a client and a monitor.
pub(crate) fn talking(error: std::io::Error) -> Failure {
    Failure::doing("talking to the container's monitor", error)
}

/// The monitor's error, as one of this command.
pub(crate) fn told(failed: Failed) -> Failure {
    Failure::new(failed.text)
        .hint_from(failed.hint.as_deref())
        .exit(failed.exit)
}
