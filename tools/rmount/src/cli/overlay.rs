//! `rmount overlay`.

use std::path::PathBuf;

use clap::Args;
use kit_cli::{Act, Result, need_root};

use super::{FlagArgs, print_name, real};
use crate::MountError;
use crate::inroot::Make;
use crate::overlay::{self, Lowers, OverlayOptions, Upper, preflight};
use crate::step::{MakePlace, MountOverlay, plan};

#[derive(Args)]
#[allow(clippy::struct_excessive_bools)] // flags of a command line
pub(super) struct Overlay {
    #[command(flatten)]
    act: Act,
    /// A read-only layer, topmost first; any characters in its path are taken care of
    #[arg(short, long = "lower", value_name = "DIR", required = true)]
    lowers: Vec<PathBuf>,
    /// Where changes go; without it the overlay is read-only
    #[arg(long, value_name = "DIR", requires = "work")]
    upper: Option<PathBuf>,
    /// The kernel's own directory, empty, on the same mount as the upper
    #[arg(long, value_name = "DIR", requires = "upper")]
    work: Option<PathBuf>,
    /// Whether a layer's directory can be renamed; default: the kernel's
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    redirect_dir: Option<bool>,
    /// Whether changing an owner or mode copies no content; default: the kernel's
    #[arg(long, value_name = "on|off", value_parser = on_off)]
    metacopy: Option<bool>,
    /// Keep hard links whole; ties the upper to these lowers for ever
    #[arg(long)]
    index: bool,
    /// Keep marks in user.overlay.*, for a user namespace
    #[arg(long)]
    userxattr: bool,
    /// Never sync: faster, and a crash spoils the upper
    #[arg(long, requires = "upper")]
    volatile: bool,
    /// Make the upper, the work directory and the mount point where they are missing
    #[arg(short, long)]
    mkdir: bool,
    #[command(flatten)]
    flags: FlagArgs,
    /// The mount point
    target: PathBuf,
}

fn on_off(text: &str) -> std::result::Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("on or off".to_owned()),
    }
}

impl Overlay {
    pub(super) fn run(self) -> Result {
        let target = real(&self.target)?;
        let upper = match (&self.upper, &self.work) {
            (Some(upper), Some(work)) => Some(Upper {
                upper: real(upper)?,
                work: real(work)?,
            }),
            _ => None,
        };
        let overlay = overlay::Overlay {
            lowers: Lowers::topmost_first(
                self.lowers
                    .iter()
                    .map(|lower| real(lower))
                    .collect::<Result<Vec<_>>>()?,
            ),
            upper,
            options: OverlayOptions {
                redirect_dir: self.redirect_dir,
                metacopy: self.metacopy,
                index: self.index,
                userxattr: self.userxattr,
                volatile: self.volatile,
                flags: self.flags.into(),
            },
        };
        let mut places = Vec::new();
        if self.mkdir {
            let parts = overlay
                .upper
                .iter()
                .flat_map(|parts| [&parts.upper, &parts.work]);
            let all = parts.chain([&target]);
            places.extend(all.map(|path| MakePlace {
                path: path.clone(),
                make: Make::Dir,
            }));
        } else {
            // Said before anything is done, and by --dry-run too.
            preflight(&overlay, &target).map_err(|fault| MountError::Overlay {
                target: target.clone(),
                fault,
            })?;
        }
        if !self.act.dry_run {
            need_root("mounting an overlay")?;
        }
        let command = format!("rmount overlay {}", target.display());
        self.act.run(&plan(
            command,
            places,
            MountOverlay {
                overlay,
                target: target.clone(),
            },
        ))?;
        if self.act.dry_run {
            Ok(0)
        } else {
            print_name(&target)
        }
    }
}
