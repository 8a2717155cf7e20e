//! The steps of rmount's verbs, each a thin face of a library call, with its lines of sh and its undo.

use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kit_plan::{
    Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, Value, run, words,
};

use crate::bind::{BindOptions, bind, in_the_way};
use crate::inroot::Make;
use crate::overlay::{Overlay, Upper, fits_mount2, mount_overlay, preflight};
use crate::says;
use crate::tmpfs::Tmpfs;
use crate::{MountError, umount};

/// Makes a directory or an empty file that a mount needs.
pub struct MakePlace {
    /// Where.
    pub path: PathBuf,
    /// Which of the two.
    pub make: Make,
}

impl Step for MakePlace {
    fn meta(&self) -> Meta {
        let (says, line) = match self.make {
            Make::Dir => (
                says::directory(self.path.display()),
                run!["mkdir", "-p", &self.path],
            ),
            // Not touch(1), which would follow a dangling symlink.
            Make::File => (
                says::file(self.path.display()),
                run!["sh", "-Cc", ": >\"$1\"", "sh", &self.path],
            ),
        };
        Meta::new("place.make", says, Shell::Exact(vec![line]))
    }

    /// Nothing marks it as ours until it is there: a killed run leaves at most an empty directory.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let made = match self.make {
            Make::Dir => return make_dirs(&self.path),
            Make::File => OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o644)
                .open(&self.path)
                .map(drop),
        };
        made.map_err(|e| not_made("making", &self.path, &e))?;
        Ok(Done::made(vec![Undo::unlink(&self.path).identified()]))
    }
}

/// Of a link that leads to nothing mkdir(2) and open(2) say that it exists, and beneath a file "not a directory".
fn not_made(doing: &'static str, path: &Path, error: &std::io::Error) -> MountError {
    if in_the_way(path).is_some() {
        crate::bind::missing(path, doing)
    } else {
        MountError::io(doing, path, error)
    }
}

/// Each missing directory on the way, from the outside in, so that the undo goes from the inside out.
fn make_dirs(path: &Path) -> Result<Done, StepError> {
    let missing: Vec<_> = path.ancestors().take_while(|dir| !dir.exists()).collect();
    let mut made = Vec::new();
    for dir in missing.into_iter().rev() {
        let result = DirBuilder::new().mode(0o755).create(dir);
        if let Err(e) = result {
            for undo in made.iter().rev() {
                if let Undo::Rmdir { path, .. } = undo {
                    let _ = std::fs::remove_dir(path);
                }
            }
            return Err(not_made("making directory", dir, &e).into());
        }
        made.push(Undo::rmdir(dir).identified());
    }
    Ok(Done::made(made))
}

/// Mounts an overlay.
pub struct MountOverlay {
    /// The layers, and the options.
    pub overlay: Overlay,
    /// A directory.
    pub target: PathBuf,
}

impl Overlay {
    /// The lines of sh that mount it. mount(8) reads a quotation mark as its own, and hands on one page at most.
    pub fn shell(&self, target: &Path) -> Shell {
        let data = self.data();
        if !fits_mount2(&data) || data.as_bytes().contains(&b'"') {
            return Shell::Ours(vec![Line::Run(self.own_words(target))]);
        }
        let mut options = std::ffi::OsStr::from_bytes(data.as_bytes()).to_owned();
        for word in self.options.flags.words() {
            options.push(",");
            options.push(word);
        }
        Shell::Exact(vec![run![
            "mount", "-t", "overlay", "-o", options, "overlay", target
        ]])
    }

    /// The same by our own command.
    fn own_words(&self, target: &Path) -> Vec<Value> {
        let mut words = words!["rmount", "overlay"];
        for lower in &self.lowers {
            words.extend(words!["--lower", lower]);
        }
        if let Some(Upper { upper, work }) = &self.upper {
            words.extend(words!["--upper", upper, "--work", work]);
        }
        let options = &self.options;
        for (flag, value) in [
            ("--redirect-dir", options.redirect_dir),
            ("--metacopy", options.metacopy),
        ] {
            if let Some(on) = value {
                words.extend(words![flag, if on { "on" } else { "off" }]);
            }
        }
        let switches = [
            ("--index", options.index),
            ("--userxattr", options.userxattr),
            ("--volatile", options.volatile),
        ];
        words.extend(
            switches
                .into_iter()
                .filter(|(_, on)| *on)
                .map(|(flag, _)| Value::from(flag)),
        );
        words.extend(
            options
                .flags
                .words()
                .iter()
                .map(|word| Value::from(format!("--{word}"))),
        );
        words.extend(words![target]);
        words
    }
}

impl MountOverlay {
    /// What the kernel makes in the work directory, and leaves there.
    fn kernels_own(&self) -> Vec<PathBuf> {
        let work = self.overlay.upper.iter().map(|upper| &upper.work);
        work.flat_map(|work| ["work", "index"].map(|name| work.join(name)))
            .collect()
    }
}

impl Step for MountOverlay {
    fn meta(&self) -> Meta {
        let count = self.overlay.lowers.len();
        let says = match &self.overlay.upper {
            Some(_) => says::layers_and_upper(count),
            None => says::layers(count),
        };
        Meta::new("overlay.mount", says, self.overlay.shell(&self.target))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unmount(&self.target)]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        preflight(&self.overlay, &self.target).map_err(|fault| MountError::Overlay {
            target: self.target.clone(),
            fault,
        })?;
        let places = self.kernels_own();
        let missing: Vec<&PathBuf> = places.iter().filter(|path| !path.exists()).collect();
        mount_overlay(&self.overlay, &self.target)?;
        let made = missing.into_iter().filter(|path| path.exists());
        let mut made: Vec<Undo> = made.map(|path| Undo::rmdir(path).identified()).collect();
        // Undone first, since the last is.
        made.push(Undo::unmount(&self.target).identified());
        Ok(Done::made(made))
    }
}

/// Binds a directory or file at a second place.
pub struct MountBind {
    /// What is shown there too.
    pub source: PathBuf,
    /// A directory for a directory, a file for a file.
    pub target: PathBuf,
    /// How.
    pub options: BindOptions,
}

/// mount(8) of Debian 12 takes `ro=recursive` and does nothing, so each mount of the tree is remounted.
const REMOUNT_ALL: &str = "findmnt -R -l -n -o TARGET -- \"$1\" | while read -r at; do \
                           mount -o \"remount,bind,$2\" \"$at\"; done";

impl MountBind {
    fn lines(&self) -> Vec<Line> {
        let BindOptions {
            recursive,
            flags,
            travel,
        } = self.options;
        let target = &self.target;
        let how = if recursive { "--rbind" } else { "--bind" };
        let mut lines = vec![run!["mount", how, &self.source, target]];
        let options = flags.words().join(",");
        if !options.is_empty() {
            lines.push(if recursive {
                run!["sh", "-c", REMOUNT_ALL, "sh", target, options]
            } else {
                run!["mount", "-o", format!("remount,bind,{options}"), target]
            });
        }
        if let Some(travel) = travel {
            let r = if recursive { "r" } else { "" };
            lines.push(run![
                "mount",
                format!("--make-{r}{}", travel.word()),
                target
            ]);
        }
        lines
    }
}

impl Step for MountBind {
    fn meta(&self) -> Meta {
        let (from, to) = (self.source.display(), self.target.display());
        let says = if self.options.flags.ro {
            says::bind_read_only(from, to)
        } else {
            says::bind(from, to)
        };
        Meta::new("bind.mount", says, Shell::Exact(self.lines()))
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unmount(&self.target)]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        bind(&self.source, &self.target, self.options)?;
        Ok(Done::made(vec![Undo::unmount(&self.target).identified()]))
    }
}

/// Mounts a tmpfs.
pub struct MountTmpfs {
    /// Its size, mode and flags.
    pub tmpfs: Tmpfs,
    /// A directory.
    pub target: PathBuf,
}

impl Step for MountTmpfs {
    fn meta(&self) -> Meta {
        let mut options = vec![self.tmpfs.data()];
        options.extend(self.tmpfs.flags.words().iter().map(ToString::to_string));
        options.retain(|part| !part.is_empty());
        let line = match options.join(",") {
            none if none.is_empty() => run!["mount", "-t", "tmpfs", "tmpfs", &self.target],
            options => run!["mount", "-t", "tmpfs", "-o", options, "tmpfs", &self.target],
        };
        Meta::new(
            "tmpfs.mount",
            says::memory(self.target.display()),
            Shell::Exact(vec![line]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::unmount(&self.target)]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.tmpfs.mount(&self.target)?;
        Ok(Done::made(vec![Undo::unmount(&self.target).identified()]))
    }
}

/// Unmounts. Not to be undone: what was mounted is not known well enough to mount it again.
pub struct Unmount {
    /// The mount on top there.
    pub target: PathBuf,
    /// Out of sight at once, gone with its last user.
    pub lazy: bool,
}

impl Step for Unmount {
    fn meta(&self) -> Meta {
        let (says, line) = if self.lazy {
            (
                says::unmount_lazily(self.target.display()),
                run!["umount", "-l", &self.target],
            )
        } else {
            (
                says::unmount(self.target.display()),
                run!["umount", &self.target],
            )
        };
        Meta::new("mount.unmount", says, Shell::Exact(vec![line]))
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        umount::umount(&self.target, self.lazy)?;
        Ok(Done::nothing())
    }
}

/// A plan that makes `places` where they are missing, then does `step`.
pub fn plan(command: String, places: Vec<MakePlace>, step: impl Step + 'static) -> Plan {
    let mut plan = Plan::new(command);
    for place in places.into_iter().filter(|place| !place.path.exists()) {
        plan.push(place);
    }
    plan.push(step);
    plan
}
