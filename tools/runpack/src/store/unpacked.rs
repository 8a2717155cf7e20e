//! Unpacked layers, by chain ID, each ready to be an overlay's lower: `unpacked/CHAIN/fs`, with `layer.json` beside it.
//! Made in the temporary directory by as many threads as there are processors, all joined before anything is returned (a process that
//! clones must have one thread), and renamed into place when the digests are right.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kit_home::lock::{Hold, Lock};
use kit_home::{JsonError, json_version};
use oci_spec::image::Digest;
use rmount::overlay::Lowers;
use serde::{Deserialize, Serialize};

use super::remove::image_chain;
use super::{Image, Store};
use crate::error::StoreError;
use crate::intake::{Crew, Job, Origin, Progress};
use crate::layer::{LayerError, LayerReport, settle, shown};
use crate::regular;

/// Of one layer, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // where it is, and how large
pub enum LayerState {
    /// Ready to be mounted; `bytes` is what its files hold.
    Unpacked { path: PathBuf, bytes: u64 },
    /// Only its blob is here.
    Packed { blob: PathBuf },
}

/// Of `layer.json`, as this boxkit writes it.
const VERSION: u32 = 1;

/// What `layer.json` says.
#[derive(Serialize, Deserialize)]
struct Facts {
    /// Absent from those of an early boxkit, which had the same shape.
    #[serde(default)]
    version: u32,
    diff_id: String,
    size_bytes: u64,
    files: u64,
}

/// A whole layer on its way to its place.
pub(crate) struct Placing<'a> {
    store: &'a Store,
    /// Holds `fs` and `layer.json`.
    dir: PathBuf,
    target: PathBuf,
}

impl Placing<'_> {
    /// One rename; where somebody else was first, theirs stays.
    pub fn place(&self) -> Result<(), StoreError> {
        let _lock = self.store.unpack_lock()?;
        self.place_locked()
    }

    fn place_locked(&self) -> Result<(), StoreError> {
        let remove = |dir: &Path| kit_sys::tree::remove(dir).map_err(StoreError::io("remove", dir));
        if facts(&self.target)?.is_some() {
            return remove(&self.dir);
        }
        if self.target.exists() {
            // Half of one: the power failed while its files were on their way to the disk.
            let aside = self.store.temporary();
            std::fs::rename(&self.target, &aside)
                .map_err(StoreError::io("rename", &self.target))?;
            remove(&aside)?;
        }
        std::fs::rename(&self.dir, &self.target).map_err(StoreError::io("rename", &self.target))
    }
}

impl Store {
    /// Which layers are unpacked, lowest first. Changes nothing.
    pub fn layer_states(&self, image: &Image) -> Result<Vec<LayerState>, StoreError> {
        let chain = image_chain(image)?;
        let blobs = image.manifest.layers();
        if chain.len() != blobs.len() {
            return Err(StoreError::Malformed {
                what: "image",
                digest: image.id.to_string(),
                reason: format!("{} layers and {} diff IDs", blobs.len(), chain.len()),
            });
        }
        let state = |(id, blob): (&Digest, &oci_spec::image::Descriptor)| {
            let dir = self.layer_dir(id);
            Ok(match facts(&dir)? {
                Some(facts) => LayerState::Unpacked {
                    path: dir.join("fs"),
                    bytes: facts.size_bytes,
                },
                None => LayerState::Packed {
                    blob: self.blob_path(blob.digest()),
                },
            })
        };
        chain.iter().zip(blobs).map(state).collect()
    }

    /// An image's layers as directories, down to one that hides all that is below it. Those that
    /// are missing are unpacked.
    pub fn layers_unpacked(&self, image: &Image) -> Result<Lowers, StoreError> {
        if let Some(ready) = self.ready(image)? {
            return Ok(ready);
        }
        // A caller's hold stays the caller's.
        let is_held = self.is_holding();
        self.hold()?;
        let unpacked = self.unpack_missing(image);
        if !is_held {
            self.release();
        }
        unpacked?;
        self.ready(image)?.ok_or_else(|| StoreError::Gone {
            id: image.id.to_string(),
        })
    }

    /// The same of an image by its name, ID or digest.
    pub fn lowers(&self, image: &str) -> Result<Lowers, StoreError> {
        self.layers_unpacked(&self.resolve(image)?)
    }

    /// `None` if one is not unpacked.
    fn ready(&self, image: &Image) -> Result<Option<Lowers>, StoreError> {
        let states = self.layer_states(image)?.into_iter().rev();
        let ready = states.map(|state| match state {
            LayerState::Unpacked { path, .. } => Some(path),
            LayerState::Packed { .. } => None,
        });
        let ready = ready.collect::<Option<Vec<_>>>();
        Ok(ready.map(|layers| Lowers::topmost_first(shown(layers))))
    }

    fn layer_dir(&self, chain: &Digest) -> PathBuf {
        self.dir.join("unpacked").join(chain.digest())
    }

    fn unpack_lock(&self) -> Result<Lock, StoreError> {
        self.lock_file("unpack.lock", Hold::Alone)
    }

    /// One that a later boxkit has unpacked counts, and is refused when it is to be used.
    pub(crate) fn is_unpacked(&self, chain: &Digest) -> bool {
        facts(&self.layer_dir(chain)).map_or(true, |facts| facts.is_some())
    }

    fn unpack_missing(&self, image: &Image) -> Result<(), StoreError> {
        // One at a time: two who need the same layer would both unpack it.
        let _lock = self.unpack_lock()?;
        let work = self.temporary();
        let unpacked = self.unpack_into(image, &work);
        let _ = kit_sys::tree::remove(&work);
        unpacked
    }

    fn unpack_into(&self, image: &Image, work: &Path) -> Result<(), StoreError> {
        let chain = image_chain(image)?;
        let diff_ids = image.diff_ids()?;
        let states = self.layer_states(image)?;
        let (mut jobs, mut numbers) = (Vec::new(), Vec::new());
        for (at, state) in states.iter().enumerate() {
            let LayerState::Packed { blob } = state else {
                continue;
            };
            let digest = image.manifest.layers()[at].digest().clone();
            let (name, total) = (digest.to_string(), states.len());
            numbers.push(at);
            jobs.push(Arc::new(Job {
                title: format!("layer {} of {total}", at + 1),
                origin: Origin::Blob(blob.clone()),
                digest: Some(digest),
                diff_id: Some(diff_ids[at].clone()),
                below: diff_ids[..at].to_vec(),
                media_type: None,
                keep: None,
                unpack: Some(work.join((at + 1).to_string())),
                explain: Box::new(move |source| layer_error(at + 1, total, &name, source).into()),
            }));
        }
        let crew = Crew::start(&jobs, &Progress::default());
        let mut reports = Vec::new();
        for number in 0..jobs.len() {
            let taken = crew.wait(number).map_err(StoreError::from_source)?;
            reports.push(taken.report.unwrap_or_default());
        }
        drop(crew);
        // Lowest first: a directory that a layer only passes through looks like the one below.
        for ((job, at), report) in jobs.iter().zip(numbers).zip(&reports) {
            let Some(dir) = &job.unpack else { continue };
            let placing = self.finish_layer(dir, report, &chain[..=at], &diff_ids[at]);
            let digest = image.manifest.layers()[at].digest().to_string();
            placing
                .map_err(|error| layer_error(at + 1, chain.len(), &digest, error))?
                .place_locked()?;
        }
        Ok(())
    }

    /// Makes an unpacked layer complete. `chain` is that of the layers below it, and last its own.
    pub(crate) fn finish_layer(
        &self,
        dir: &Path,
        report: &LayerReport,
        chain: &[Digest],
        diff_id: &Digest,
    ) -> Result<Placing<'_>, LayerError> {
        let (own, below) = chain.split_last().unwrap_or((diff_id, &[]));
        let below: Vec<PathBuf> = below
            .iter()
            .rev()
            .filter(|chain| self.is_unpacked(chain))
            .map(|chain| self.layer_dir(chain).join("fs"))
            .collect();
        let copied = settle(&dir.join("fs"), report, &below)?;
        let facts = Facts {
            version: VERSION,
            diff_id: diff_id.to_string(),
            size_bytes: report.bytes + copied,
            files: report.files,
        };
        let facts = serde_json::to_vec(&facts).unwrap_or_default();
        let path = dir.join("layer.json");
        std::fs::write(&path, facts).map_err(LayerError::io("write", &path))?;
        // On the disk before it has its place: after a power cut nobody could tell an empty file of it from one that the image has so.
        // All files of all layers at once; by fsync(2), each would wait by itself.
        let file = File::open(&path).map_err(LayerError::io("open", &path))?;
        rustix::fs::syncfs(&file).map_err(|errno| LayerError::io("sync", dir)(errno.into()))?;
        Ok(Placing {
            store: self,
            dir: dir.to_owned(),
            target: self.layer_dir(own),
        })
    }
}

/// `None` if there is no whole layer.
///
/// # Errors
/// [`JsonError::Later`].
fn facts(dir: &Path) -> Result<Option<Facts>, JsonError> {
    let path = dir.join("layer.json");
    let Ok(bytes) = regular::read(&path) else {
        return Ok(None);
    };
    match json_version(&path, &bytes, VERSION) {
        Err(later @ JsonError::Later { .. }) => Err(later),
        _ => Ok(serde_json::from_slice(&bytes).ok()),
    }
}

pub(crate) fn layer_error(
    number: usize,
    total: usize,
    digest: &str,
    source: LayerError,
) -> StoreError {
    StoreError::Layer {
        number,
        total,
        digest: digest.to_owned(),
        source: Box::new(source),
    }
}
