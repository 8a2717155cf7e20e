//! The command line of `rmount`.

mod bind;
mod diff;
mod examples;
mod overlay;
mod tmpfs;
mod umount;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use kit_cli::{Failure, Output, Result, Row};

use kit_plan::Fault;

use crate::attr::Flags;
use crate::{MountError, list};

/// Overlay, bind and tmpfs mounts, and what changed in them
#[derive(Parser)]
#[command(name = "rmount", version, after_help = EXAMPLES, disable_help_subcommand = true, mut_subcommands = examples::of)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "Examples:
  rmount overlay -l app -l base --upper up --work wk root     two layers, changes go to up
  rmount diff root                                            what changed, as docker diff
  rmount bind --ro /srv/pages root/www                        the same files, read-only there
  rmount tmpfs --size 64m root/tmp                            files in memory
  rmount list --kind overlay --jsonl                          for other programs
  rmount list -q --under $PWD/root | tac | rmount umount -    all of them go";

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Stack directories as one tree
    Overlay(overlay::Overlay),
    /// Show a directory or file in a second place
    Bind(bind::Bind),
    /// Mount a filesystem in memory
    Tmpfs(tmpfs::Tmpfs),
    /// Unmount
    #[command(visible_aliases = ["unmount", "del", "rm"])]
    Umount(umount::Umount),
    /// List mounts of this mount namespace
    #[command(visible_aliases = ["ls", "show"])]
    List {
        #[command(flatten)]
        output: Output,
        /// Only mounts of this kind
        #[arg(long)]
        kind: Option<Kind>,
        /// Only mounts at or beneath this directory
        #[arg(long, value_name = "DIR")]
        under: Option<PathBuf>,
    },
    /// Show what an upper directory changed: A added, C changed, D deleted
    Diff(diff::Diff),
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    Overlay,
    /// A part of a filesystem; a bind of a whole one cannot be told from a second mount of it
    Bind,
    Tmpfs,
}

impl From<Kind> for list::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Overlay => Self::Overlay,
            Kind::Bind => Self::Bind,
            Kind::Tmpfs => Self::Tmpfs,
        }
    }
}

// Switches that every mount has.
#[derive(Debug, Clone, Copy, Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line
struct FlagArgs {
    /// Read-only
    #[arg(long)]
    ro: bool,
    /// Set-user-ID bits have no effect
    #[arg(long)]
    nosuid: bool,
    /// Device files have no effect
    #[arg(long)]
    nodev: bool,
    /// Nothing in there can be executed
    #[arg(long)]
    noexec: bool,
}

impl From<FlagArgs> for Flags {
    fn from(args: FlagArgs) -> Self {
        Self {
            ro: args.ro,
            nosuid: args.nosuid,
            nodev: args.nodev,
            noexec: args.noexec,
        }
    }
}

/// Does what was asked for; its exit code.
pub fn dispatch(cli: Cli) -> Result {
    match cli.verb {
        Verb::Overlay(verb) => verb.run(),
        Verb::Bind(verb) => verb.run(),
        Verb::Tmpfs(verb) => verb.run(),
        Verb::Umount(verb) => verb.run(),
        Verb::List {
            output,
            kind,
            under,
        } => {
            let under = under.map(|path| real(&path)).transpose()?;
            if let Some(under) = under.as_deref().filter(|path| !path.exists()) {
                return Err(crate::bind::missing(under, "listing mounts beneath").into());
            }
            let mounts = list::list(kind.map(Into::into), under.as_deref())?;
            if output.quiet {
                kit_cli::emit_names(mounts.iter().map(|mount| &*mount.name.0))?;
            } else {
                output.list(&mounts)?;
            }
            Ok(0)
        }
        Verb::Diff(verb) => verb.run(),
    }
}

fn no_mount_point(target: &Path, doing: &'static str) -> Failure {
    missing_or(target, doing, "--mkdir makes it")
}

/// What is near in name is likelier meant than something new; where a link or a file is in the way, nothing can be made.
fn missing_or(path: &Path, doing: &'static str, make: &str) -> Failure {
    let missing = crate::bind::missing(path, doing);
    if missing.hint().is_some() || crate::bind::in_the_way(path).is_some() {
        return missing.into();
    }
    Failure::from(missing).hint(make)
}

/// An absolute path without symlinks as far as it exists, so that the script means the same elsewhere.
fn real(path: &Path) -> Result<PathBuf> {
    if path.as_os_str().is_empty() {
        return Err(Failure::usage("naming a path: it is empty"));
    }
    if let Ok(real) = std::fs::canonicalize(path) {
        return Ok(real);
    }
    let whole = std::path::absolute(path).map_err(|e| MountError::io("finding", path, &e))?;
    let there = whole
        .ancestors()
        .find_map(|dir| Some((dir, std::fs::canonicalize(dir).ok()?)));
    Ok(match there {
        Some((dir, real)) => real.join(whole.strip_prefix(dir).unwrap_or(Path::new(""))),
        None => whole,
    })
}

/// The mount is there, whether its name can be printed or not.
fn print_name(path: &Path) -> Result {
    match kit_cli::emit_names([path.as_os_str()]) {
        Err(error) if error.is_closed_pipe() => return Err(error),
        Err(error) => {
            kit_cli::warn(
                error.hint("rmount list --jsonl prints it, as - of other verbs reads it"),
            );
        }
        Ok(()) => {}
    }
    Ok(0)
}

impl Row for list::Entry {
    const HEAD: &'static [&'static str] = &["TARGET", "TYPE", "SOURCE", "OPTIONS"];

    fn cells(&self) -> Vec<String> {
        let (source, root) = (
            self.source.0.to_string_lossy(),
            self.root.0.to_string_lossy(),
        );
        let source = match &*root {
            "/" => source.into_owned(),
            part => format!("{source}[{part}]"),
        };
        vec![
            self.name(),
            self.fstype.clone(),
            source,
            self.options.join(","),
        ]
    }

    fn name(&self) -> String {
        self.name.0.to_string_lossy().into_owned()
    }
}
