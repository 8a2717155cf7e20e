//! `rmount tmpfs`.

use std::path::PathBuf;

use clap::Args;
use kit_cli::{Act, Result, need_root};

use super::{FlagArgs, no_mount_point, print_name, real};
use crate::inroot::Make;
use crate::step::{MakePlace, MountTmpfs, plan};
use crate::tmpfs::{self, Size, parse_size};

#[derive(Args)]
pub(super) struct Tmpfs {
    #[command(flatten)]
    act: Act,
    #[command(flatten)]
    flags: FlagArgs,
    /// At most this much: a number and k, m, g or t, or a part of the memory like 25%; default: 50%
    #[arg(long, value_parser = parse_size)]
    size: Option<Size>,
    /// At most this many files
    #[arg(long, value_name = "COUNT")]
    inodes: Option<u64>,
    /// Permissions of its root directory, in octal; default: 1777
    #[arg(long, value_parser = parse_mode)]
    mode: Option<u32>,
    /// Make the mount point if it is missing
    #[arg(short, long)]
    mkdir: bool,
    /// The mount point
    target: PathBuf,
}

fn parse_mode(text: &str) -> std::result::Result<u32, kit_cli::BadValue> {
    let mode = u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o7777);
    mode.ok_or(kit_cli::BadValue("it is up to four octal digits"))
}

impl Tmpfs {
    pub(super) fn run(self) -> Result {
        let target = real(&self.target)?;
        if !target.exists() && !self.mkdir {
            return Err(no_mount_point(&target, "mounting a tmpfs at"));
        }
        if target.exists() && !target.is_dir() {
            return Err(tmpfs::not_a_directory(&target).into());
        }
        if !self.act.dry_run {
            need_root("mounting a tmpfs")?;
        }
        let tmpfs = tmpfs::Tmpfs {
            size: self.size,
            inodes: self.inodes,
            mode: self.mode,
            flags: self.flags.into(),
        };
        let places = vec![MakePlace {
            path: target.clone(),
            make: Make::Dir,
        }];
        let command = format!("rmount tmpfs {}", target.display());
        self.act.run(&plan(
            command,
            places,
            MountTmpfs {
                tmpfs,
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
