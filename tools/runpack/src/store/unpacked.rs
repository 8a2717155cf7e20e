//! Unpacked layers, by chain ID, each ready to be an overlay's lower: `unpacked/CHAIN/fs`, with `layer.json` beside it.
//! Made in the temporary directory by as many threads as there are processors, all joined before anything is returned (a process that
//! clones must have one thread), and renamed into place when the digests are right.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use oci_spec::image::Digest;
use rustix::fs::FlockOperation;
use serde::{Deserialize, Serialize};

use super::remove::image_chain;
use super::{Image, Store, lock};
use crate::error::StoreError;
use crate::layer::{Extraction, Form, LayerReport, LayerSource, LayerUnpacker, adopt_implicit};

/// Of one layer, lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LayerState {
    /// Ready to be mounted; `bytes` is what its files hold.
    Unpacked { path: PathBuf, bytes: u64 },
    /// Only its blob is here.
    Packed { blob: PathBuf },
}

#[derive(Serialize, Deserialize)]
struct Facts {
    diff_id: String,
    size_bytes: u64,
    files: u64,
}

/// A layer to be unpacked.
struct Job {
    number: usize,
    source: LayerSource,
    /// Holds `fs` and `layer.json` until it is renamed to `target`.
    temporary: PathBuf,
    target: PathBuf,
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
            let dir = self.dir.join("unpacked").join(id.digest());
            let facts = std::fs::read(dir.join("layer.json")).ok();
            let facts = facts.and_then(|bytes| serde_json::from_slice::<Facts>(&bytes).ok());
            match facts {
                Some(facts) => LayerState::Unpacked {
                    path: dir.join("fs"),
                    bytes: facts.size_bytes,
                },
                None => LayerState::Packed {
                    blob: self.blob_path(blob.digest()),
                },
            }
        };
        Ok(chain.iter().zip(blobs).map(state).collect())
    }

    /// An image's layers as directories, topmost first, as `lowerdir=` wants them. Those that are missing are unpacked.
    pub fn layers_unpacked(&self, image: &Image) -> Result<Vec<PathBuf>, StoreError> {
        if let Some(ready) = self.ready(image)? {
            return Ok(ready);
        }
        self.hold()?;
        let unpacked = self.unpack_missing(image);
        self.release();
        unpacked?;
        self.ready(image)?.ok_or_else(|| StoreError::Gone {
            id: image.id.to_string(),
        })
    }

    /// `None` if one is not unpacked.
    fn ready(&self, image: &Image) -> Result<Option<Vec<PathBuf>>, StoreError> {
        let states = self.layer_states(image)?.into_iter().rev();
        Ok(states
            .map(|state| match state {
                LayerState::Unpacked { path, .. } => Some(path),
                LayerState::Packed { .. } => None,
            })
            .collect())
    }

    pub(crate) fn unpack_missing(&self, image: &Image) -> Result<(), StoreError> {
        // One at a time: two who need the same layer would both unpack it.
        let _lock = self.lock_file("unpack.lock", FlockOperation::LockExclusive)?;
        let chain = image_chain(image)?;
        let diff_ids = image.diff_ids()?;
        let mut jobs = Vec::new();
        for (at, state) in self.layer_states(image)?.iter().enumerate() {
            if let LayerState::Packed { blob } = state {
                let temporary = self.temporary();
                let fs = temporary.join("fs");
                std::fs::create_dir_all(&fs).map_err(StoreError::io("mkdir", &fs))?;
                jobs.push(Job {
                    number: at + 1,
                    source: LayerSource {
                        blob: blob.clone(),
                        digest: image.manifest.layers()[at].digest().clone(),
                        diff_id: diff_ids[at].clone(),
                    },
                    temporary,
                    target: self.dir.join("unpacked").join(chain[at].digest()),
                });
            }
        }
        let done = extract_all(&jobs, chain.len())
            .and_then(|reports| self.publish(image, &jobs, &reports));
        if done.is_err() {
            for job in &jobs {
                let _ = std::fs::remove_dir_all(&job.temporary);
            }
        }
        done
    }

    /// Lowest first: a directory that a layer only passes through looks like the one below.
    fn publish(
        &self,
        image: &Image,
        jobs: &[Job],
        reports: &[LayerReport],
    ) -> Result<(), StoreError> {
        for (job, report) in jobs.iter().zip(reports) {
            let states = self.layer_states(image)?;
            let below: Vec<PathBuf> = states[..job.number - 1]
                .iter()
                .rev()
                .filter_map(|state| match state {
                    LayerState::Unpacked { path, .. } => Some(path.clone()),
                    LayerState::Packed { .. } => None,
                })
                .collect();
            let fs = job.temporary.join("fs");
            adopt_implicit(&fs, &report.implicit, &below)
                .map_err(|error| layer_error(job, states.len(), error))?;
            let facts = Facts {
                diff_id: job.source.diff_id.to_string(),
                size_bytes: report.bytes,
                files: report.files,
            };
            let facts = serde_json::to_vec(&facts).unwrap_or_default();
            let path = job.temporary.join("layer.json");
            std::fs::write(&path, facts).map_err(StoreError::io("write", &path))?;
            std::fs::rename(&job.temporary, &job.target)
                .map_err(StoreError::io("rename", &job.target))?;
        }
        Ok(())
    }
}

fn layer_error(job: &Job, total: usize, source: crate::layer::LayerError) -> StoreError {
    StoreError::Layer {
        number: job.number,
        total,
        digest: job.source.digest.to_string(),
        source: Box::new(source),
    }
}

/// Unpacks each job into its directory; the threads are gone when this returns.
fn extract_all(jobs: &[Job], total: usize) -> Result<Vec<LayerReport>, StoreError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let reports: Mutex<Vec<(usize, Result<LayerReport, StoreError>)>> = Mutex::default();
    let work = || {
        while let Some((at, job)) = take(&next, jobs) {
            let into: &Path = &job.temporary.join("fs");
            let report = Extraction::default().unpack(&job.source, into, Form::Overlay);
            let failed = report.is_err();
            let report = report.map_err(|error| layer_error(job, total, error));
            lock(&reports).push((at, report));
            if failed {
                // The others need not go on.
                next.store(jobs.len(), Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.min(jobs.len()) {
            scope.spawn(work);
        }
    });
    let mut reports = std::mem::take(&mut *lock(&reports));
    reports.sort_by_key(|(at, report)| (report.is_ok(), *at));
    reports.into_iter().map(|(_, report)| report).collect()
}

fn take<'a>(next: &AtomicUsize, jobs: &'a [Job]) -> Option<(usize, &'a Job)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    jobs.get(at).map(|job| (at, job))
}
