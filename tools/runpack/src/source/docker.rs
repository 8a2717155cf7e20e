//! An archive of `docker save`: `manifest.json` names a configuration, tags and layers. The layers are plain tars whose digests are the diff IDs.

use std::io::Read;

use oci_spec::image::MediaType;
use serde::Deserialize;

use super::{Offered, OfferedLayer, Reading, SourceError};
use crate::digest::of_bytes;
use crate::error::StoreError;
use crate::layer::Coding;
use crate::reference::Reference;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    /// docker writes `null` of an image without any.
    #[serde(default)]
    layers: Option<Vec<String>>,
}

impl Reading<'_> {
    pub(super) fn docker(&self) -> Result<Vec<Offered>, SourceError> {
        let bytes = self.container.read("manifest.json")?;
        let all: Vec<Saved> = serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(&format!("its manifest.json: {error}")))?;
        let tag = self.tag.as_deref().map(Reference::parse).transpose();
        let tag = tag.map_err(StoreError::from)?;
        let is_wanted = |saved: &&Saved| {
            tag.as_ref()
                .is_none_or(|tag| own_names(saved).contains(tag))
        };
        let wanted: Vec<&Saved> = all.iter().filter(is_wanted).collect();
        if wanted.is_empty() {
            let has = all
                .iter()
                .flat_map(|saved| saved.repo_tags.clone().unwrap_or_default());
            return Err(SourceError::NoTag {
                source_name: self.title.clone(),
                tag: self.tag.clone().unwrap_or_default(),
                has: has.collect(),
            });
        }
        let count = wanted.len();
        wanted
            .into_iter()
            .map(|saved| self.saved(saved, count))
            .collect()
    }

    fn saved(&self, saved: &Saved, count: usize) -> Result<Offered, SourceError> {
        let config_bytes = self.container.read(&saved.config)?;
        let config = self.parsed(&config_bytes)?;
        let names = saved.layers.as_deref().unwrap_or_default();
        let mut layers = Vec::with_capacity(names.len());
        for (name, diff_id) in names.iter().zip(self.diff_ids(&config, names.len())?) {
            layers.push(OfferedLayer {
                member: name.clone(),
                media_type: None,
                // What is not compressed is its own diff ID, and may be here already.
                digest: (self.coding(name)? == Coding::Plain).then(|| diff_id.clone()),
                diff_id,
            });
        }
        Ok(Offered {
            id: of_bytes(&config_bytes),
            config,
            config_bytes,
            config_type: MediaType::ImageConfig,
            manifest: None,
            layers,
            names: self.names(own_names(saved), count)?,
        })
    }

    /// podman and newer dockers keep layers compressed here too.
    fn coding(&self, name: &str) -> Result<Coding, SourceError> {
        let mut start = Vec::new();
        let reader = self.container.reader(name)?;
        let read = reader.take(4).read_to_end(&mut start);
        read.map_err(SourceError::io("read", name.as_ref()))?;
        Ok(Coding::of(&start))
    }
}

fn own_names(saved: &Saved) -> Vec<Reference> {
    let tags = saved.repo_tags.iter().flatten();
    tags.filter_map(|tag| Reference::parse(tag).ok()).collect()
}
