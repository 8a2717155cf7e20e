//! `runpack unpack`: an image as a directory: one flat root, its layers ready for an overlay, or a bundle that runc and crun run.
//! Made beside the target and renamed, so that a target that is there is a whole one; in a directory that is there, made in it.

use std::cell::RefCell;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError};
use oci_spec::image::{Digest, ImageConfiguration};

use crate::bundle;
use crate::intake::{Origin, Progress};
use crate::layer::{
    Extraction, Form, LayerError, LayerReport, LayerStream, LayerUnpacker, is_opaque_layer, settle,
};
use crate::load::step_error;
use crate::publish::{MakeDir, Publish};
use crate::says;
use crate::source::{LoadOptions, SourceError, offered};
use crate::store::layer_error;
use crate::target::{MoveUp, Target, plain_mode};
use crate::{Image, ImageId, Source, Store, StoreError};

/// What the directory is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Layout {
    /// One root file system, whiteouts carried out
    #[default]
    Flat,
    /// A directory a layer, in overlay's own form; prints the lowerdir string
    Overlay,
    /// An OCI runtime bundle: rootfs/ and config.json
    Bundle,
}

/// What to unpack, and where.
#[derive(Debug, Clone)]
pub struct Unpack {
    /// As the user gave it.
    pub image: OsString,
    /// The image.
    pub source: Source,
    /// A directory that is not there yet.
    pub dir: PathBuf,
    /// What it is to be.
    pub layout: Layout,
    /// Which of several images: `linux/arm64`.
    pub platform: Option<String>,
    /// Hears how far it has come.
    pub progress: Progress,
}

/// What a text stands for: an image of the store, or where there is none of that name, a file or directory.
pub fn source(root: &Path, text: &OsStr) -> Result<Source, StoreError> {
    let source = Source::parse(text, false)?;
    let Source::Store(name) = &source else {
        return Ok(source);
    };
    match Store::open(root).resolve(name) {
        Err(StoreError::Unknown { .. } | StoreError::Reference(_)) if Path::new(text).exists() => {
            Ok(Source::Guess(text.into()))
        }
        _ => Ok(source),
    }
}

/// For [`Layout::Overlay`], the `lowerdir=` string, once the plan has been applied.
pub type Outcome = Rc<RefCell<Option<OsString>>>;

/// Made beside and renamed; a directory that is there and empty may be a mount point, and is filled where it is.
pub fn plan(root: &Path, unpack: Unpack) -> Result<(Plan, Outcome), SourceError> {
    if let (Source::Store(name), Some(wanted)) = (&unpack.source, &unpack.platform) {
        let image = Store::open(root).resolve(name)?;
        let found = format!("{}/{}", image.config.os(), image.config.architecture());
        if found != *wanted && !wanted.starts_with(&format!("{found}/")) {
            return Err(SourceError::Stored {
                name: name.clone(),
                found,
                wanted: wanted.clone(),
            });
        }
    }
    let target = Target::new(&unpack.dir)?;
    let outcome = Outcome::default();
    let mut plan = Plan::new(format!("runpack unpack {}", unpack.image.display()));
    let work = target.work.clone();
    // Its lowerdir string has the directory's name in it, so a script says all in one line; as it does where the directory is there.
    let in_place = target.in_place;
    let in_parts = unpack.layout != Layout::Overlay && !in_place;
    plan.push(MakeDir {
        dir: work.clone(),
        in_parts,
    });
    let dir = target.dir.clone();
    // An image's root directory is the target itself; elsewhere the target is a place for it.
    let attributes = unpack.layout == Layout::Flat;
    plan.push(UnpackStep {
        root: root.to_owned(),
        shown: if in_parts { work.clone() } else { dir.clone() },
        unpack,
        target,
        outcome: Rc::clone(&outcome),
    });
    if in_place {
        plan.push(MoveUp {
            from: work,
            to: dir,
            attributes,
        });
    } else {
        plan.push(Publish {
            from: work,
            to: dir,
            in_parts,
        });
    }
    Ok((plan, outcome))
}

/// An image from wherever it is, to be unpacked.
struct Input {
    id: ImageId,
    config: ImageConfiguration,
    /// Lowest first.
    layers: Vec<InputLayer>,
}

struct InputLayer {
    origin: Origin,
    digest: Option<Digest>,
    diff_id: Digest,
}

impl Input {
    fn open(store: &Store, unpack: &Unpack) -> Result<Self, SourceError> {
        if let Source::Store(name) = &unpack.source {
            return Ok(Self::stored(store, &store.resolve(name)?)?);
        }
        let options = LoadOptions {
            name: None,
            platform: unpack.platform.clone(),
            progress: unpack.progress.clone(),
        };
        let mut offer = offered(&unpack.dir, &unpack.source, &options)?;
        let count = offer.images.len();
        let image = offer.images.pop();
        let (Some(image), true) = (image, count == 1) else {
            return Err(SourceError::Several {
                source_name: unpack.image.clone(),
                count,
            });
        };
        let layers = image.layers.into_iter().map(|layer| InputLayer {
            origin: Origin::Member {
                container: Arc::clone(&offer.container),
                name: layer.member,
            },
            digest: layer.digest,
            diff_id: layer.diff_id,
        });
        Ok(Self {
            id: image.id,
            config: image.config,
            layers: layers.collect(),
        })
    }

    fn stored(store: &Store, image: &Image) -> Result<Self, StoreError> {
        let diff_ids = image.diff_ids()?;
        let layers = image.manifest.layers();
        if layers.len() != diff_ids.len() {
            return Err(StoreError::Malformed {
                what: "image",
                digest: image.id.to_string(),
                reason: format!("{} layers and {} diff IDs", layers.len(), diff_ids.len()),
            });
        }
        let pairs = layers.iter().zip(diff_ids);
        let layers = pairs.map(|(layer, diff_id)| InputLayer {
            origin: Origin::Blob(store.blob_path(layer.digest())),
            digest: Some(layer.digest().clone()),
            diff_id,
        });
        Ok(Self {
            id: image.id.clone(),
            config: image.config.clone(),
            layers: layers.collect(),
        })
    }
}

/// Fills the target's directory; for [`Layout::Overlay`] returns where the layers will be, topmost first.
fn fill(store: &Store, unpack: &Unpack, target: &Target) -> Result<Vec<PathBuf>, SourceError> {
    // A stream may be long in coming: what the directory is like is looked at after it.
    let input = Input::open(store, unpack)?;
    target.ready(unpack.layout == Layout::Flat)?;
    let watch = |bytes| {
        unpack.progress.tell(bytes as u64);
        Ok(())
    };
    let layers = match unpack.layout {
        Layout::Flat => flat(&input, &target.work, &watch)?,
        Layout::Overlay => overlay(&input, &target.work, &watch)?,
        Layout::Bundle => {
            let rootfs = target.work.join("rootfs");
            make_dir(&rootfs)?;
            plain_mode(&rootfs)?;
            flat(&input, &rootfs, &watch)?;
            bundle::write_config(&input.id, &input.config, &target.work)?;
            Vec::new()
        }
    };
    Ok(layers.iter().map(|layer| unpack.dir.join(layer)).collect())
}

fn make_dir(path: &Path) -> Result<(), SourceError> {
    std::fs::create_dir(path).map_err(SourceError::io("make directory", path))
}

type Watch<'a> = &'a (dyn Fn(usize) -> io::Result<()> + Sync);

/// Each layer on top of the last. Returns nothing: there is one directory.
fn flat(input: &Input, dir: &Path, watch: Watch) -> Result<Vec<PathBuf>, SourceError> {
    for at in 0..input.layers.len() {
        input.unpack_layer(at, dir, Form::Flat, watch)?;
    }
    Ok(Vec::new())
}

/// Each layer a directory, numbered from the lowest; returns their names, topmost first.
fn overlay(input: &Input, dir: &Path, watch: Watch) -> Result<Vec<PathBuf>, SourceError> {
    let mut names: Vec<PathBuf> = Vec::new();
    for at in 0..input.layers.len() {
        let name = PathBuf::from((at + 1).to_string());
        let path = dir.join(&name);
        make_dir(&path)?;
        let below: Vec<PathBuf> = names.iter().map(|name| dir.join(name)).collect();
        let report = input.unpack_layer(at, &path, Form::Overlay, watch)?;
        settle(&path, &report, &below).map_err(|error| input.layer_error(at, error))?;
        if is_opaque_layer(&path) {
            names.clear();
        }
        names.insert(0, name);
    }
    Ok(names)
}

impl Input {
    fn unpack_layer(
        &self,
        at: usize,
        dir: &Path,
        form: Form,
        watch: Watch,
    ) -> Result<LayerReport, SourceError> {
        let layer = &self.layers[at];
        let stream = LayerStream {
            blob: layer.origin.open()?,
            keep: None,
            digest: layer.digest.clone(),
            diff_id: Some(layer.diff_id.clone()),
            watch,
        };
        let unpacked = Extraction::default().unpack(stream, dir, form);
        let (report, _) = unpacked.map_err(|error| self.layer_error(at, error))?;
        Ok(report)
    }

    fn layer_error(&self, at: usize, error: LayerError) -> StoreError {
        let layer = &self.layers[at];
        let digest = layer.digest.as_ref().unwrap_or(&layer.diff_id).to_string();
        layer_error(at + 1, self.layers.len(), &digest, error)
    }
}

struct UnpackStep {
    root: PathBuf,
    unpack: Unpack,
    target: Target,
    /// The directory that the line of the script names.
    shown: PathBuf,
    outcome: Outcome,
}

impl Step for UnpackStep {
    fn meta(&self) -> Meta {
        let Unpack { image, layout, .. } = &self.unpack;
        let (layout, says) = match layout {
            Layout::Flat => ("flat", says::flat()),
            Layout::Overlay => ("overlay", says::overlay()),
            Layout::Bundle => ("bundle", says::bundle()),
        };
        let mut line = kit_plan::words!["runpack", "unpack", format!("--layout={layout}")];
        if let Some(platform) = &self.unpack.platform {
            line.extend(kit_plan::words!["--platform", platform]);
        }
        line.extend(kit_plan::words!["--", image, &self.shown]);
        let lines = vec![kit_plan::Line::Run(line)];
        Meta::new("image.unpack", says, Shell::Ours(lines))
    }

    /// All is in the directory that an earlier step made; what leaves it by a later one is known here, before it does.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let store = Store::open(&self.root);
        let filled = fill(&store, &self.unpack, &self.target);
        let layers = filled.map_err(step_error)?;
        let lowers: Vec<Vec<u8>> = layers.iter().map(|path| escaped(path)).collect();
        *self.outcome.borrow_mut() =
            (!lowers.is_empty()).then(|| OsString::from_vec(lowers.join(&b':')));
        Ok(Done::made(self.target.to_come().map_err(step_error)?))
    }
}

/// As mount(2)'s `lowerdir=` wants it.
fn escaped(path: &Path) -> Vec<u8> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut text = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if b"\\:,".contains(byte) {
            text.push(b'\\');
        }
        text.push(*byte);
    }
    text
}
