//! An OCI image layout: `index.json` leads to manifests, or to further indexes with one manifest a platform.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::HashMap;

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

use super::platform::{Fit, Platform};
use super::{Offered, OfferedLayer, Reading, SourceError};
use crate::digest::of_bytes;
use crate::reference::Reference;
use crate::store::is_index;

const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// docker's and containerd's; the whole name, where the other is often the tag alone.
const IMAGE_NAME: &str = "io.containerd.image.name";
/// An index of indexes of indexes is not an image.
const MAX_DEPTH: usize = 4;

impl Reading<'_> {
    pub(super) fn oci(&self) -> Result<Vec<Offered>, SourceError> {
        let index = self.index(&self.container.read("index.json")?)?;
        let entries = index.manifests().iter().filter(|d| self.is_wanted(d));
        let entries = self.of_our_platform(entries.collect())?;
        if entries.is_empty() {
            return Err(match &self.tag {
                Some(tag) => SourceError::NoTag {
                    source_name: self.title.clone(),
                    tag: tag.clone(),
                    has: index
                        .manifests()
                        .iter()
                        .filter_map(own_name)
                        .map(str::to_owned)
                        .collect(),
                },
                None => self.bad(&"it has no images"),
            });
        }
        // The same image under several names is one image with several names.
        let mut images: Vec<(&Descriptor, Vec<Reference>)> = Vec::new();
        for entry in entries {
            let name = self.reference(entry);
            match images
                .iter_mut()
                .find(|(known, _)| known.digest() == entry.digest())
            {
                Some((_, names)) => names.extend(name),
                None => images.push((entry, name.into_iter().collect())),
            }
        }
        let count = images.len();
        let each = images.into_iter();
        each.map(|(entry, names)| self.image(entry, self.names(names, count)?))
            .collect()
    }

    fn is_wanted(&self, descriptor: &Descriptor) -> bool {
        let Some(tag) = &self.tag else { return true };
        let parsed = Reference::parse(tag).ok();
        own_name(descriptor) == Some(tag)
            || (parsed.is_some() && self.reference(descriptor) == parsed)
    }

    /// Of the entries of one name, and of those that have none, those for our platform, if there is one that says so.
    fn of_our_platform<'a>(
        &self,
        entries: Vec<&'a Descriptor>,
    ) -> Result<Vec<&'a Descriptor>, SourceError> {
        let wanted = self.wanted_platform();
        let fit = |entry: &Descriptor| wanted.fit(&Platform::from(entry.platform().as_ref()?));
        let name = |entry: &Descriptor| self.reference(entry).map(|name| name.to_string());
        // Of a name, the first of the best.
        let mut best: HashMap<Option<String>, (Fit, &Descriptor)> = HashMap::new();
        for &entry in &entries {
            if let Some(fit) = fit(entry) {
                let known = best.entry(name(entry)).or_insert((fit, entry));
                if fit > known.0 {
                    *known = (fit, entry);
                }
            }
        }
        let is_kept = |entry: &&Descriptor| match (entry.platform(), name(entry)) {
            (None, _) => true,
            (Some(_), name) => best.get(&name).is_none_or(|(best, first)| match name {
                Some(_) => first.digest() == entry.digest(),
                None => fit(entry) == Some(*best),
            }),
        };
        let said = entries.iter().filter(|entry| entry.platform().is_some());
        if best.is_empty() && said.count() > 1 {
            return Err(self.not_for(&wanted, &entries));
        }
        Ok(entries.into_iter().filter(is_kept).collect())
    }

    /// A name that is only a tag gets the layout's own: `oci:/images/debian:12` is `debian:12`.
    fn reference(&self, descriptor: &Descriptor) -> Option<Reference> {
        let own = own_name(descriptor)?;
        if own.contains([':', '/']) {
            return Reference::parse(own).ok();
        }
        let path = std::path::Path::new(&self.title);
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut stem = path.file_name()?.to_str()?.to_lowercase();
        if !self.container.is_dir() {
            // `alpine.tar.gz`, `alpine.oci`, `alpine.tgz`.
            for ends in [[".gz", ".zst", ".tgz"].as_slice(), &[".tar", ".oci"]] {
                let end = ends.iter().find(|end| stem.ends_with(**end));
                stem.truncate(stem.len() - end.map_or(0, |end| end.len()));
            }
        }
        Reference::parse(&format!("{stem}:{own}")).ok()
    }

    fn image(&self, entry: &Descriptor, names: Vec<Reference>) -> Result<Offered, SourceError> {
        let (descriptor, bytes) = self.manifest(entry, 0)?;
        let manifest: ImageManifest = serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(&format!("its manifest: {error}")))?;
        let config = manifest.config();
        self.check_size("its configuration", config)?;
        let config_bytes = self.checked("its configuration", &blob(config), config.digest())?;
        let parsed = self.parsed(&config_bytes)?;
        let diff_ids = self.diff_ids(&parsed, manifest.layers().len())?;
        for (number, layer) in (1..).zip(manifest.layers()) {
            self.check_size(&format!("layer {number}"), layer)?;
        }
        let layers = manifest.layers().iter().zip(diff_ids);
        Ok(Offered {
            id: config.digest().clone(),
            config: parsed,
            config_bytes,
            config_type: config.media_type().clone(),
            layers: layers
                .map(|(layer, diff_id)| OfferedLayer {
                    member: blob(layer),
                    media_type: Some(layer.media_type().clone()),
                    digest: Some(layer.digest().clone()),
                    diff_id,
                })
                .collect(),
            manifest: Some((bytes, descriptor.media_type().clone())),
            names,
        })
    }

    /// The manifest for the platform, through as many indexes as it takes.
    fn manifest(
        &self,
        entry: &Descriptor,
        depth: usize,
    ) -> Result<(Descriptor, Vec<u8>), SourceError> {
        self.check_size("its manifest", entry)?;
        let bytes = self.container.read(&blob(entry))?;
        let got = of_bytes(&bytes);
        if got != *entry.digest() {
            return Err(self.bad(&format!(
                "its manifest is {got}, expected {}",
                entry.digest()
            )));
        }
        if !is_index(entry.media_type()) {
            return Ok((entry.clone(), bytes));
        }
        if depth == MAX_DEPTH {
            return Err(self.bad(&"its indexes have no end"));
        }
        let index = self.index(&bytes)?;
        let wanted = self.wanted_platform();
        let all = index.manifests();
        let fits = all
            .iter()
            .map(|entry| wanted.fit(&Platform::from(entry.platform().as_ref()?)));
        // The first of the best.
        let found = fits
            .enumerate()
            .filter(|(_, fit)| fit.is_some())
            .min_by_key(|(_, fit)| Reverse(*fit));
        let Some(found) = found.map(|(at, _)| at).or((all.len() == 1).then_some(0)) else {
            return Err(self.not_for(&wanted, all));
        };
        self.manifest(&all[found], depth + 1)
    }

    fn not_for<D: Borrow<Descriptor>>(&self, wanted: &Platform, all: &[D]) -> SourceError {
        let platforms = all
            .iter()
            .filter_map(|entry| entry.borrow().platform().as_ref());
        // What a builder puts beside an image, such as its provenance, is for no platform.
        let found = platforms.map(|p| Platform::from(p).to_string());
        SourceError::Platform {
            source_name: self.title.clone(),
            found: found.filter(|of| of != "unknown/unknown").collect(),
            wanted: wanted.to_string(),
        }
    }

    /// A blob has the size that its descriptor promises, before any of it is read. One that is missing is told when it is opened.
    fn check_size(&self, what: &str, descriptor: &Descriptor) -> Result<(), SourceError> {
        let name = blob(descriptor);
        let (has, promised) = (self.container.size(&name), descriptor.size());
        if has == promised || !self.container.has(&name) {
            return Ok(());
        }
        Err(self.bad(&format!(
            "{what} has {has} bytes, and its descriptor says {promised}"
        )))
    }

    fn index(&self, bytes: &[u8]) -> Result<ImageIndex, SourceError> {
        serde_json::from_slice(bytes).map_err(|error| self.bad(&format!("its index: {error}")))
    }
}

fn own_name(descriptor: &Descriptor) -> Option<&str> {
    let notes = descriptor.annotations().as_ref()?;
    let name = notes.get(IMAGE_NAME).or_else(|| notes.get(REF_NAME))?;
    Some(name)
}

fn blob(descriptor: &Descriptor) -> String {
    let digest = descriptor.digest();
    format!("blobs/{}/{}", digest.algorithm(), digest.digest())
}
