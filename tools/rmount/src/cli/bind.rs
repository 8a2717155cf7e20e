//! `rmount bind`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use kit_cli::{Act, Result, need_root};

use super::{FlagArgs, missing_or, no_mount_point, print_name, real};
use crate::MountError;
use crate::attr::Travel;
use crate::bind::{BindOptions, unlike};
use crate::inroot::Make;
use crate::step::{MakePlace, MountBind, plan};

#[derive(Args)]
pub(super) struct Bind {
    #[command(flatten)]
    act: Act,
    #[command(flatten)]
    flags: FlagArgs,
    /// With the mounts beneath the source, to which the other options then apply too
    #[arg(long)]
    rbind: bool,
    /// Make a missing source; otherwise it is an error
    #[arg(long, value_name = "dir|file", require_equals = true)]
    create: Option<Create>,
    /// Make a missing mount point, of the source's kind
    #[arg(short, long)]
    mkdir: bool,
    /// How mounts beneath it travel to other places: by default as the mount point's do
    #[arg(long)]
    propagation: Option<Propagation>,
    /// The directory or file that is to be there too
    source: PathBuf,
    /// The mount point
    target: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Create {
    Dir,
    File,
}

#[derive(Clone, Copy, ValueEnum)]
enum Propagation {
    Private,
    Slave,
    Shared,
    Unbindable,
}

impl From<Propagation> for Travel {
    fn from(propagation: Propagation) -> Self {
        match propagation {
            Propagation::Private => Self::Private,
            Propagation::Slave => Self::Slave,
            Propagation::Shared => Self::Shared,
            Propagation::Unbindable => Self::Unbindable,
        }
    }
}

impl Bind {
    pub(super) fn run(self) -> Result {
        let (source, target) = (real(&self.source)?, real(&self.target)?);
        let kind = match (source.exists(), self.create) {
            (true, _) => kind_of(&source),
            (false, Some(Create::Dir)) => Make::Dir,
            (false, Some(Create::File)) => Make::File,
            (false, None) => {
                let make = "--create=dir or --create=file makes it";
                return Err(missing_or(&source, "binding", make));
            }
        };
        if !target.exists() && !self.mkdir {
            return Err(no_mount_point(&target, "binding at"));
        }
        if let Some(reason) = unlike(kind == Make::Dir, target.is_dir()).filter(|_| target.exists())
        {
            return Err(MountError::wrong("binding at", &target, reason).into());
        }
        let mut places = vec![MakePlace {
            path: source.clone(),
            make: kind,
        }];
        if kind == Make::File {
            let dirs = [&source, &target]
                .into_iter()
                .filter_map(|path| path.parent());
            places.splice(
                0..0,
                dirs.map(|dir| MakePlace {
                    path: dir.to_owned(),
                    make: Make::Dir,
                }),
            );
        }
        places.push(MakePlace {
            path: target.clone(),
            make: kind,
        });
        if !self.act.dry_run {
            need_root("bind mounting")?;
        }
        let options = BindOptions {
            recursive: self.rbind,
            flags: self.flags.into(),
            travel: self.propagation.map(Into::into),
        };
        let command = format!("rmount bind {} {}", source.display(), target.display());
        self.act.run(&plan(
            command,
            places,
            MountBind {
                source: source.clone(),
                target: target.clone(),
                options,
            },
        ))?;
        if kind == Make::File {
            warn_single_file(&source);
        }
        if self.act.dry_run {
            Ok(0)
        } else {
            print_name(&target)
        }
    }
}

fn kind_of(path: &Path) -> Make {
    if path.is_dir() { Make::Dir } else { Make::File }
}

/// A bind is of the inode: whoever saves by writing a new file and renaming it leaves the bind with the old one.
fn warn_single_file(source: &Path) {
    let dir = source.parent().unwrap_or(Path::new("/"));
    let (source, dir) = (source.to_string_lossy(), dir.to_string_lossy());
    let text = format!(
        "rmount: note: an editor that replaces \"{}\" leaves this bind with the old file; binding \"{}\" does not\n",
        kit_cli::visible(&source),
        kit_cli::visible(&dir),
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes());
}
