//! An archive of `docker save`: `manifest.json` names a configuration, tags and layers. The layers are plain tars whose digests are the diff IDs.

use std::io::{BufReader, Read};
use std::str::FromStr;

use oci_spec::image::{Descriptor, Digest, ImageConfiguration, MediaType};
use serde::Deserialize;

use super::{Loaded, Loading, SourceError};
use crate::layer::decoder;
use crate::reference::Reference;
use crate::store::manifest_of;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

impl Loading<'_> {
    pub(super) fn docker(&self) -> Result<Vec<Loaded>, SourceError> {
        let bytes = self.container.read("manifest.json")?;
        let all: Vec<Saved> = serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(&format!("its manifest.json: {error}")))?;
        let wanted: Vec<&Saved> = all.iter().filter(|saved| self.is_saved(saved)).collect();
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

    fn is_saved(&self, saved: &Saved) -> bool {
        let Some(tag) = self.tag.as_ref().and_then(|tag| Reference::parse(tag).ok()) else {
            return true;
        };
        own_names(saved).contains(&tag)
    }

    fn saved(&self, saved: &Saved, count: usize) -> Result<Loaded, SourceError> {
        let bytes = self.container.read(&saved.config)?;
        let parsed: ImageConfiguration = serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(&format!("its configuration: {error}")))?;
        let diff_ids = parsed.rootfs().diff_ids();
        let total = saved.layers.len();
        if diff_ids.len() != total {
            return Err(self.bad(&format!("{total} layers and {} diff IDs", diff_ids.len())));
        }
        let config = self.put(
            "its configuration",
            &saved.config,
            MediaType::ImageConfig,
            None,
        )?;
        let mut layers: Vec<Descriptor> = Vec::with_capacity(total);
        for (at, (name, diff_id)) in saved.layers.iter().zip(diff_ids).enumerate() {
            let what = format!("layer {} of {total}", at + 1);
            let diff_id = Digest::from_str(diff_id).map_err(|error| self.bad(&error))?;
            layers.push(match self.compression(name)? {
                // What is not compressed is its own diff ID, and may be here already.
                None => self.put(&what, name, MediaType::ImageLayer, Some(&diff_id))?,
                Some(media_type) => self.put(&what, name, media_type, None)?,
            });
        }
        let manifest = manifest_of(config, layers)?;
        let names = self.names(own_names(saved), count)?;
        self.publish(&manifest, MediaType::ImageManifest, names)
    }

    /// podman and newer dockers keep layers compressed here too.
    fn compression(&self, name: &str) -> Result<Option<MediaType>, SourceError> {
        let mut start = Vec::new();
        let path = std::path::Path::new(name);
        let reader = self.container.reader(name)?;
        let read = reader.take(4).read_to_end(&mut start);
        read.map_err(SourceError::io("read", path))?;
        let zstd = start.first() == Some(&0x28);
        let (_, compressed) =
            decoder(BufReader::new(&start[..])).map_err(SourceError::io("read", path))?;
        Ok(compressed.then_some(if zstd {
            MediaType::ImageLayerZstd
        } else {
            MediaType::ImageLayerGzip
        }))
    }
}

fn own_names(saved: &Saved) -> Vec<Reference> {
    let tags = saved.repo_tags.iter().flatten();
    tags.filter_map(|tag| Reference::parse(tag).ok()).collect()
}
