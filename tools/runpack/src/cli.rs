//! The command line of `runpack`.

mod advice;
mod examples;
mod list;
pub(crate) mod progress;
mod read;
mod rows;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use kit_cli::{Act, Failure, Output, Result, emit, need_root};
use kit_plan::{Plan, Roots};

use crate::change::changes;
use crate::import::Import;
use crate::pack::cli::PackArgs;
use crate::unpack::{Layout, Unpack};
use crate::{Progress, Reference, Removed, Store, StoreError, Unreadable, images};
pub use advice::advice;
use read::Load;

/// Images: an image is files; here they are
#[derive(Parser)]
#[command(name = "runpack", version, after_help = examples::ALL, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
#[command(defer = true)] // only the called verb has its flags made; a doc comment on those would be its help
enum Verb {
    /// Load images from an archive, an OCI layout or standard input
    #[command(after_help = examples::LOAD)]
    Load {
        #[command(flatten)]
        act: Act,
        /// A file, a directory, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], or - for standard input
        #[arg(value_hint = clap::ValueHint::AnyPath)]
        source: Option<OsString>,
        /// The same, as docker's load has it
        #[arg(short, long, value_name = "SOURCE", conflicts_with = "source", value_hint = clap::ValueHint::AnyPath)]
        input: Option<OsString>,
        /// A name in place of the image's own
        #[arg(short = 't', long = "tag", value_name = "NAME")]
        name: Option<String>,
        /// Of another machine: OS/ARCHITECTURE
        #[arg(long)]
        platform: Option<String>,
        /// Without a progress bar
        #[arg(short, long)]
        quiet: bool,
    },
    /// Make an image of a root file system's tar
    #[command(after_help = examples::IMPORT)]
    Import {
        #[command(flatten)]
        act: Act,
        /// A tar, compressed or not; - for standard input
        file: PathBuf,
        /// The image's name
        name: Option<String>,
        /// Set something, as in a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, USER, VOLUME, WORKDIR, STOPSIGNAL
        #[arg(short, long, value_name = "INSTRUCTION")]
        change: Vec<String>,
        /// The one line of its history
        #[arg(short, long)]
        message: Option<String>,
    },
    /// Make an image of programs of this machine, with the libraries and interpreters they need
    #[command(after_help = examples::PACK, long_about = examples::ABOUT_PACK)]
    Pack(PackArgs),
    /// Unpack an image into a new directory
    #[command(after_help = examples::UNPACK)]
    Unpack {
        #[command(flatten)]
        act: Act,
        /// A name or ID in the store, or a place as for load
        image: OsString,
        /// A new or empty directory
        dir: PathBuf,
        /// One root, one directory a layer, or a bundle of the OCI
        #[arg(long, value_enum, default_value_t)]
        layout: Layout,
        /// Of another machine: OS/ARCHITECTURE
        #[arg(long)]
        platform: Option<String>,
    },
    /// Write images to one archive, for load here, in docker or in podman
    #[command(after_help = examples::SAVE)]
    Save {
        #[command(flatten)]
        act: Act,
        /// The archive; standard output if left out
        #[arg(short, long)]
        output: Option<PathBuf>,
        /// Names or IDs; - reads them from standard input
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// List images
    #[command(visible_alias = "list", alias = "ls", after_help = examples::IMAGES)]
    Images {
        #[command(flatten)]
        output: Output,
        /// Whole IDs
        #[arg(long)]
        no_trunc: bool,
        /// Those in between too; as with docker's newer builder there are none, every image has its layers itself
        #[arg(short, long)]
        all: bool,
        /// Only those: reference=PATTERN, dangling=BOOL, label=KEY[=VALUE], before=IMAGE, since=IMAGE
        #[arg(short, long = "filter", value_name = "FILTER")]
        filters: Vec<String>,
        /// json, a template ({{.Repository}}:{{.Tag}}), or table and a template with \t between columns
        #[arg(long, conflicts_with_all = ["json", "jsonl", "quiet"])]
        format: Option<String>,
        /// Only this repository or name, or those of a pattern
        reference: Option<String>,
    },
    /// Show images as docker inspect does, in a JSON array
    #[command(visible_alias = "show", after_help = examples::INSPECT)]
    Inspect {
        /// Names or IDs; - reads them from standard input
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Show how an image came to be
    #[command(after_help = examples::HISTORY)]
    History {
        #[command(flatten)]
        output: Output,
        /// Whole IDs and commands
        #[arg(long)]
        no_trunc: bool,
        /// A name, an ID, or the beginning of one
        image: String,
    },
    /// Give an image one more name
    #[command(after_help = examples::TAG)]
    Tag {
        #[command(flatten)]
        act: Act,
        /// A name, an ID, or the beginning of one
        image: String,
        /// The new name
        name: String,
    },
    /// Take names away, and with the last one the image
    #[command(visible_aliases = ["del", "rm"], after_help = examples::RMI)]
    Rmi {
        #[command(flatten)]
        act: Act,
        /// All names of an ID; a name that is in use; and be quiet about what is not there
        #[arg(short, long)]
        force: bool,
        /// Names or IDs; - reads them from standard input
        #[arg(required = true)]
        images: Vec<String>,
    },
    /// Sweep up what no image has and what killed commands left
    #[command(after_help = examples::GC)]
    Gc {
        #[command(flatten)]
        act: Act,
    },
}

/// Does what was asked for; its exit code.
pub fn dispatch(cli: Cli) -> Result {
    let roots = Roots::from_env()?;
    // Another user than root reads nothing there.
    if rustix::process::geteuid().is_root() {
        roots.check()?;
    }
    match cli.verb {
        Verb::Load {
            act,
            source,
            input,
            name,
            platform,
            quiet,
        } => {
            let load = Load {
                source: source.or(input),
                name,
                platform,
                quiet,
            };
            read::load(act, &roots, load)
        }
        Verb::Import {
            act,
            file,
            name,
            change,
            message,
        } => {
            let name = name.as_deref().map(reference).transpose()?;
            let changes: std::result::Result<Vec<_>, _> =
                change.iter().map(|text| changes(text)).collect();
            let changes = changes?;
            let import = Import {
                file,
                name,
                changes: changes.concat(),
                message,
                progress: Progress::default(),
            };
            read::import(act, &roots, import)
        }
        Verb::Pack(args) => crate::pack::cli::run(&args),
        Verb::Unpack {
            act,
            image,
            dir,
            layout,
            platform,
        } => {
            let source = crate::unpack::source(&roots.root, &image)?;
            let unpack = Unpack {
                image,
                source,
                dir,
                layout,
                platform,
                progress: Progress::default(),
            };
            read::unpack(act, &roots, unpack)
        }
        Verb::Save {
            act,
            output,
            images,
        } => save(act, &roots, output, &images),
        Verb::Images {
            output,
            no_trunc,
            all: _,
            filters,
            format,
            reference,
        } => {
            let listed = list::Listed {
                no_trunc,
                filters,
                reference,
            };
            list::images(&roots, &listed, output, format.as_deref())
        }
        Verb::Inspect { images } => list::inspect(&roots, &images),
        Verb::History {
            output,
            no_trunc,
            image,
        } => {
            let store = Store::open(&roots.root);
            output.list(&images::history(&store, &image, no_trunc)?)?;
            Ok(0)
        }
        Verb::Tag { act, image, name } => {
            let plan = crate::tag::plan(&roots.root, &image, &name)?;
            run(act, &roots, &plan, "tagging an image")?;
            Ok(0)
        }
        Verb::Rmi { act, force, images } => rmi(act, &roots, force, &images),
        Verb::Gc { act } => gc(act, &roots),
    }
}

fn gc(act: Act, roots: &Roots) -> Result {
    let (_, unreadable) = Store::open(&roots.root).list()?;
    say_unreadable(&unreadable);
    let (plan, outcome) = crate::gc::plan(roots)?;
    run_for_good(act, roots, &plan, "sweeping up")?;
    if act.dry_run {
        return Ok(0);
    }
    let collected = outcome.take();
    for command in &collected.undone {
        emit(&format!("undone: {command}\n"))?;
    }
    let gone = collected.gone;
    emit(&if gone.busy {
        "busy: somebody is loading an image; not all was swept\n".to_owned()
    } else {
        format!(
            "{} blobs ({}), {} layers, {} temporary files\n",
            gone.blobs,
            kit_units::human_size(gone.bytes),
            gone.layers,
            gone.temporaries
        )
    })?;
    Ok(0)
}

/// What is in nobody's way is said all the same.
fn say_unreadable(all: &[Unreadable]) {
    for Unreadable { name, error } in all {
        say(&format!("passing over image {name:?}: {error}"));
    }
}

/// A line beside what is done.
fn say(text: &str) {
    kit_cli::warn(Failure::new(text));
}

fn reference(text: &str) -> Result<Reference> {
    Ok(Reference::parse(text)?)
}

/// Applies a plan that changes the store, or prints it.
fn run(act: Act, roots: &Roots, plan: &Plan, doing: &str) -> Result<()> {
    ready(act, roots, doing)?;
    act.run(plan)
}

/// The same of one that takes away.
fn run_for_good(act: Act, roots: &Roots, plan: &Plan, doing: &str) -> Result<()> {
    ready(act, roots, doing)?;
    act.run_for_good(plan)
}

fn ready(act: Act, roots: &Roots, doing: &str) -> Result<()> {
    if !act.dry_run {
        need_root(doing)?;
        roots.prepare()?;
    }
    Ok(())
}

/// Names that are not the head of a table.
pub(crate) fn image_names(roots: &Roots, given: &[String]) -> Result<Vec<String>> {
    let names = kit_cli::names(given, &["image"])?;
    let store = Store::open(&roots.root);
    let is_there = |name: &str| store.resolve(name).is_ok();
    kit_cli::refuse_heads(&names, rows::IMAGES, "runpack images -q", is_there)?;
    Ok(names)
}

fn save(act: Act, roots: &Roots, output: Option<PathBuf>, images: &[String]) -> Result {
    let images = image_names(roots, images)?;
    if images.is_empty() {
        return Ok(0);
    }
    if act.dry_run || output.is_some() {
        let file = output.unwrap_or_else(|| "/dev/stdout".into());
        let plan = crate::save::plan(&roots.root, &file, &images)?;
        act.run(&plan)?;
        return Ok(0);
    }
    if kit_cli::is_terminal() {
        let text = "saving images: the archive would go to the terminal";
        return Err(Failure::usage(text).hint("-o FILE, or > FILE"));
    }
    let store = Store::open(&roots.root);
    crate::save::save(&store, &images, std::io::stdout().lock())?;
    Ok(0)
}

/// Goes on past a failure and reports all.
fn rmi(act: Act, roots: &Roots, force: bool, images: &[String]) -> Result {
    let names = image_names(roots, images)?;
    kit_cli::each(&names, |name| {
        let (plan, outcome) = match crate::rmi::plan(&roots.root, name, force) {
            Err(StoreError::Unknown { .. }) if force => return Ok(()),
            planned => planned?,
        };
        run_for_good(act, roots, &plan, "removing an image")?;
        let removed = outcome.take();
        let said = removed.iter().map(|removed| match removed {
            Removed::Untagged(name) => format!("Untagged: {name}\n"),
            Removed::Deleted(id) => format!("Deleted: {id}\n"),
        });
        emit(&said.collect::<String>())
    })
}
