//! `runpack load`: images from a layout or an archive into the store. What is small is read and checked before there is a plan; each layer is
//! a step that takes it and one that places it; the names come last, so that all of it is there or nothing.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_plan::{Plan, StepError, Value, words};
use oci_spec::image::{Descriptor, Digest, MediaType};

use crate::digest::chain_ids;
use crate::error::check_depth;
use crate::intake::{Explain, ImageName, Intake, Job, Layer, NewImage, Origin, Outcome, work_of};
use crate::interrupt::Interrupt;
use crate::layer::{BLOB_DIGEST, LayerError};
use crate::says;
use crate::source::{LoadOptions, Offer, Offered, OfferedLayer, SourceError, blob_error, offered};
use crate::store::layer_error;
use crate::{ImageId, Reference, Source, Store};

/// An image that is loaded when the plan has been applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Its ID in the store.
    pub id: ImageId,
    /// What it is called.
    pub names: Vec<Reference>,
}

/// What is to be done, and what it comes to.
pub struct Loading {
    /// What loads it.
    pub plan: Plan,
    /// What there will be then.
    pub images: Vec<Loaded>,
    /// That are to be read.
    pub bytes: u64,
}

/// Reads the source, but for its layers, and changes nothing.
pub fn plan(
    root: &Path,
    text: &OsStr,
    source: &Source,
    options: &LoadOptions,
) -> Result<Loading, SourceError> {
    let store = Store::open(root);
    let mut offer = offered(&store.temporary_dir(), source, options)?;
    for image in &offer.images {
        check_depth(image.layers.len()).map_err(|error| SourceError::Part {
            source_name: offer.title.clone(),
            what: label_of(image),
            error: Box::new(error),
        })?;
    }
    store.hold_if_there();
    let mut layers = Layers {
        ours: HashSet::new(),
        work: work_of(&store),
        store,
        jobs: Vec::new(),
        chains: HashMap::new(),
        blobs: HashMap::new(),
        bytes: 0,
    };
    let (mut images, mut loaded) = (Vec::new(), Vec::new());
    let several = offer.images.len() > 1;
    for mut image in std::mem::take(&mut offer.images) {
        // The same image with layers compressed in another way: those that are here will do.
        let ours = offer_ours(&layers.store, &mut image);
        layers.ours.extend(ours);
        images.push(layers.image(&offer, &image, several));
        loaded.push(Loaded {
            id: image.id.clone(),
            names: image.names.clone(),
        });
    }
    let mut plan = Plan::new(format!("runpack load {}", text.display()));
    let progress = options.progress.clone();
    let intake = Intake::new(layers.store, layers.work, layers.jobs, progress);
    intake.push_layers(&mut plan);
    plan.push(ImageName {
        intake,
        images,
        says: says::name(names_of(&loaded)),
        line: line(text, options),
        outcome: Outcome::default(),
    });
    Ok(Loading {
        plan,
        images: loaded,
        bytes: layers.bytes,
    })
}

/// What an image is called in messages.
fn label_of(image: &Offered) -> String {
    let name = image.names.first();
    name.map_or_else(|| image.id.to_string(), ToString::to_string)
}

fn names_of(loaded: &[Loaded]) -> String {
    let each = loaded.iter().flat_map(|image| {
        let names = image.names.iter().map(ToString::to_string);
        let id = image.names.is_empty().then(|| image.id.to_string());
        names.chain(id)
    });
    each.collect::<Vec<_>>().join(", ")
}

fn line(text: &OsStr, options: &LoadOptions) -> Vec<Value> {
    let mut line: Vec<Value> = words!["runpack", "load"];
    if let Some(name) = &options.name {
        line.extend(words!["-t", name.to_string()]);
    }
    if let Some(platform) = &options.platform {
        line.extend(words!["--platform", platform]);
    }
    line.extend(words!["--", text]);
    line
}

/// If all blobs of the image are here and whole, it is offered by those.
fn offer_ours(store: &Store, image: &mut Offered) -> Vec<Digest> {
    let Ok(Some(ours)) = store.by_exact_id(&image.id) else {
        return Vec::new();
    };
    let blobs = ours.manifest.layers();
    let mut each = blobs.iter();
    let are_here = each.all(|blob| store.is_whole(blob.digest(), blob.size()));
    let manifest = store.read_blob("manifest", ours.descriptor.digest());
    if let (true, Ok(manifest)) = (are_here && blobs.len() == image.layers.len(), manifest) {
        image.manifest = Some((manifest, ours.descriptor.media_type().clone()));
        for (layer, blob) in image.layers.iter_mut().zip(blobs) {
            layer.digest = Some(blob.digest().clone());
            layer.media_type = Some(blob.media_type().clone());
        }
        return blobs.iter().map(|blob| blob.digest().clone()).collect();
    }
    Vec::new()
}

/// The layers of all images, each to be taken once.
struct Layers {
    store: Store,
    /// Blobs that are here, and whole.
    ours: HashSet<Digest>,
    work: PathBuf,
    jobs: Vec<Job>,
    /// Which job unpacks it.
    chains: HashMap<Digest, usize>,
    /// Which job keeps it.
    blobs: HashMap<Digest, usize>,
    bytes: u64,
}

impl Layers {
    fn image(&mut self, offer: &Offer, image: &Offered, several: bool) -> NewImage {
        let diff_ids: Vec<Digest> = image.layers.iter().map(|l| l.diff_id.clone()).collect();
        let label = label_of(image);
        let total = image.layers.len();
        let mut layers = Vec::with_capacity(total);
        for (at, layer) in image.layers.iter().enumerate() {
            let mut title = format!("layer {} of {total}", at + 1);
            let explain = explain(&offer.title, &label, (at + 1, total), layer);
            if several {
                title = format!("{title} of {label}");
            }
            layers.push(self.layer(offer, layer, &diff_ids[..=at], (title, explain)));
        }
        let config = image.config_bytes.clone();
        NewImage {
            layers,
            config: Box::new(move |_| Ok(config.clone())),
            config_type: image.config_type.clone(),
            manifest: image.manifest.clone(),
            names: image.names.clone(),
        }
    }

    fn layer(
        &mut self,
        offer: &Offer,
        layer: &OfferedLayer,
        diff_ids: &[Digest],
        (title, explain): (String, Explain),
    ) -> Layer {
        let chain = chain_ids(diff_ids)
            .pop()
            .unwrap_or_else(|| layer.diff_id.clone());
        // One that is damaged is taken anew, and renamed over it.
        let size = offer.container.size(&layer.member);
        let whole = |digest: &&Digest| {
            self.ours.contains(*digest)
                || (!self.blobs.contains_key(*digest) && self.store.is_whole(digest, size))
        };
        let stored = layer.digest.as_ref().filter(whole);
        let stored = stored.cloned();
        self.ours.extend(stored.clone());
        let stored = stored.map(|digest| self.store.blob_path(&digest));
        let kept_by = layer
            .digest
            .as_ref()
            .and_then(|digest| self.blobs.get(digest));
        let kept_by = kept_by.copied();
        let unpack = !self.store.is_unpacked(&chain) && !self.chains.contains_key(&chain);
        let keep = stored.is_none() && kept_by.is_none();
        if !unpack && !keep {
            return match (kept_by, &layer.digest, stored) {
                (Some(job), ..) => Layer::Taken(job),
                (None, Some(digest), Some(path)) => {
                    let size = path.metadata().map_or(0, |meta| meta.len());
                    let media_type = layer.media_type.clone().unwrap_or(MediaType::ImageLayer);
                    let blob = Descriptor::new(media_type, size, digest.clone());
                    Layer::Kept(Box::new(blob), layer.diff_id.clone())
                }
                // Without a digest there is neither.
                _ => Layer::Taken(self.jobs.len()),
            };
        }
        let number = self.jobs.len();
        if unpack {
            self.chains.insert(chain, number);
        }
        if let (true, Some(digest)) = (keep, &layer.digest) {
            self.blobs.insert(digest.clone(), number);
        }
        self.bytes += offer.container.size(&layer.member);
        let origin = match stored {
            Some(path) => Origin::Blob(path),
            None => Origin::Member {
                container: Arc::clone(&offer.container),
                name: layer.member.clone(),
            },
        };
        let place = self.work.join(number.to_string());
        self.jobs.push(Job {
            title,
            origin,
            digest: layer.digest.clone(),
            diff_id: Some(layer.diff_id.clone()),
            below: diff_ids[..diff_ids.len() - 1].to_vec(),
            media_type: layer.media_type.clone(),
            keep: keep.then(|| place.with_extension("blob")),
            unpack: unpack.then_some(place),
            explain,
        });
        Layer::Taken(number)
    }
}

/// What is said of a layer that is not what was promised.
fn explain(
    title: &OsStr,
    label: &str,
    (number, total): (usize, usize),
    layer: &OfferedLayer,
) -> Explain {
    let (title, label) = (title.to_owned(), label.to_owned());
    let digest = layer.digest.as_ref().unwrap_or(&layer.diff_id).to_string();
    Box::new(move |error| match error {
        LayerError::Digest {
            what: BLOB_DIGEST,
            expected,
            got,
        } => {
            let what = format!("layer {number} of {total}");
            blob_error(&title, &what, &expected, &got)
        }
        error => SourceError::Part {
            source_name: title.clone(),
            what: label.clone(),
            error: Box::new(layer_error(number, total, &digest, error)),
        },
    })
}

pub(crate) fn step_error(error: SourceError) -> StepError {
    interrupted().unwrap_or_else(|| error.into())
}

/// What a step says that ended because a signal was pending.
pub(crate) fn interrupted() -> Option<StepError> {
    let code = Interrupt::new().take()?;
    Some(StepError::whole("interrupted, and nothing was kept").exit(code))
}

pub(crate) fn store_error(error: crate::StoreError) -> StepError {
    step_error(error.into())
}
