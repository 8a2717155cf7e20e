//! The step that makes a volume.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Roots, Shell, Slots, Step, StepError, Undo, run};
use rmount::overlay::{Lowers, Overlay, OverlayOptions};

use super::{VolumeError, copy, dir};
use crate::says;

/// Makes a new volume, filled with a copy of what the image has at its mount point. A volume that exists is left as it is:
/// [`super::FillVolume`] is for one that is empty.
pub struct MakeVolume {
    /// Where volumes are: those of the kind of container that it is made for.
    pub roots: Roots,
    /// The volume's name; for an anonymous one that of [`super::anonymous_name`].
    pub name: String,
    /// The ID of the container that it is made for.
    pub id: String,
    /// Its index among that container's volumes, which makes its temporary name unique.
    pub nth: usize,
    /// It has no name of the user's and is removed with that container.
    pub anonymous: bool,
    /// The layers of the image that it is filled from; none leave it empty.
    pub layers: Lowers,
    /// The absolute path in the container at which it will be mounted.
    pub to: PathBuf,
}

impl MakeVolume {
    pub(super) fn path(&self) -> PathBuf {
        dir(&self.roots).join(&self.name)
    }

    /// The temporary name holds the container's ID: by that gc knows whether a command still works on it.
    pub(super) fn making(&self) -> PathBuf {
        dir(&self.roots).join(format!(".{}.{:02}.new", self.id, self.nth))
    }

    /// cp -a of a layer, or of several as an overlay, which is mounted for that alone.
    pub(super) fn fill_line(&self, inside: &Path, data: &Path) -> Line {
        if let Some(one) = self.layers.only() {
            return run!["cp", "-a", "-T", "--", one.join(inside), data];
        }
        let overlay = Overlay {
            lowers: self.layers.clone(),
            upper: None,
            options: OverlayOptions::default(),
        };
        let lowers = OsString::from_vec(overlay.data().into_bytes());
        let script = "mount -t tmpfs tmpfs /mnt; mkdir /mnt/all; mount -t overlay -o \"$1\" overlay /mnt/all; \
                      exec cp -a -T -- \"/mnt/all/$2\" \"$3\"";
        let sh = run![
            "unshare", "-m", "sh", "-ec", script, "sh", lowers, inside, data
        ];
        sh
    }

    fn fail(&self) -> impl Fn(io::Error) -> VolumeError {
        |source| VolumeError::Io {
            doing: "making volume",
            path: self.path(),
            source,
        }
    }

    /// The directory that is filled before it is renamed.
    pub(super) fn make_room(&self) -> Result<(), VolumeError> {
        let mut mkdir = DirBuilder::new();
        let made = mkdir.recursive(true).mode(0o755);
        made.create(self.making().join("_data"))
            .map_err(self.fail())
    }

    fn make(&self) -> Result<(), VolumeError> {
        let (making, data) = (self.making(), self.making().join("_data"));
        let fail = self.fail();
        self.make_room()?;
        if let Some(source) = copy::source(&self.layers, &self.to)? {
            source.copy(&data)?;
        }
        match fs::rename(&making, self.path()) {
            // Another command has made it meanwhile, and a container may use it.
            Err(_) if self.path().join("_data").exists() => {
                kit_sys::tree::remove(&making).map_err(fail)
            }
            other => other.map_err(fail),
        }
    }
}

impl Step for MakeVolume {
    fn meta(&self) -> Meta {
        let (making, data) = (self.making(), self.making().join("_data"));
        let mut lines = vec![run!["mkdir", "-p", &data]];
        if let Ok(Some(source)) = copy::source(&self.layers, &self.to) {
            lines.push(self.fill_line(&source.inside, &data));
        }
        lines.push(run!["mv", "-T", "--", making, self.path()]);
        let says = says::volume(&self.name, self.to.display());
        Meta::new("volume.make", says, Shell::Exact(lines))
    }

    /// A named volume is shared as soon as it exists, so it stays, as docker's does.
    fn intent(&self, _: &Slots) -> Vec<Undo> {
        let mut undo = vec![Undo::tree(self.making())];
        if self.anonymous {
            undo.push(Undo::tree(self.path()));
        }
        undo
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.make().map_err(|e| StepError::from(e).exit(125))?;
        let its_own = self.anonymous.then(|| Undo::tree(self.path()));
        Ok(Done::made(its_own.into_iter().collect()).identified())
    }
}
