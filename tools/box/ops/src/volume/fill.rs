//! The step that fills a volume which exists and is empty, as docker does for each new container: an empty one would hide
//! what the image has at its mount point.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Shell, Slots, Step, StepError, Undo, run};
use runpack::layer::make_alike;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{MakeVolume, VolumeError, copy};
use crate::says;

/// Fills an empty volume with a copy of what the image has at its mount point. The copy is made beside it, and each
/// entry of it is then moved in: no container sees half a file.
pub struct FillVolume(pub MakeVolume);

/// Whether a volume has nothing in it.
pub fn is_empty(data: &Path) -> bool {
    fs::read_dir(data).is_ok_and(|mut entries| entries.next().is_none())
}

impl FillVolume {
    fn data(&self) -> PathBuf {
        self.0.path().join("_data")
    }

    fn fill(&self) -> Result<bool, VolumeError> {
        let (made, data) = (self.0.making().join("_data"), self.data());
        let fail = |source| VolumeError::Io {
            doing: "filling volume",
            path: self.0.path(),
            source,
        };
        let Some(source) = copy::source(&self.0.layers, &self.0.to)? else {
            return Ok(false);
        };
        // Another container may have filled it since.
        if !is_empty(&data) {
            return Ok(false);
        }
        self.0.make_room()?;
        source.copy(&made)?;
        for entry in fs::read_dir(&made).map_err(fail)? {
            let name = entry.map_err(fail)?.file_name();
            match move_in(&made.join(&name), &data.join(&name)) {
                // What somebody else has put there in this moment is theirs.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                moved => moved.map_err(fail)?,
            }
        }
        make_alike(&made, &data).map_err(|error| fail(io::Error::other(error)))?;
        kit_sys::tree::remove(&self.0.making()).map_err(fail)?;
        Ok(true)
    }
}

fn move_in(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

impl Step for FillVolume {
    fn meta(&self) -> Meta {
        let (making, made, data) = (self.0.making(), self.0.making().join("_data"), self.data());
        let mut lines = Vec::new();
        if let Ok(Some(source)) = copy::source(&self.0.layers, &self.0.to) {
            let script = "find \"$1\" -mindepth 1 -maxdepth 1 -exec mv -n -t \"$2\" -- {} +; touch -r \"$1\" -- \"$2\"; rm -r -- \"$1\"";
            let alike = kit_plan::cat!["--reference=", made.clone()];
            lines.extend([
                run!["mkdir", "-p", &made],
                self.0.fill_line(&source.inside, &made),
                run!["chown", alike.clone(), "--", &data],
                run!["chmod", alike, "--", &data],
                run!["sh", "-ec", script, "sh", &made, data],
                run!["rmdir", making],
            ]);
        }
        let says = says::fill_volume(&self.0.name, self.0.to.display());
        Meta::new("volume.fill", says, Shell::Exact(lines))
    }

    /// What was moved in stays, as in docker: the volume is other containers' too.
    fn intent(&self, _: &Slots) -> Vec<Undo> {
        vec![Undo::tree(self.0.making())]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let filled = self.fill().map_err(|e| StepError::from(e).exit(125))?;
        Ok(if filled {
            Done::nothing()
        } else {
            Done::nothing().note("there is nothing to copy", "没有要复制的")
        })
    }
}
