//! An OCI image layout: `index.json` leads to manifests, or to further indexes with one manifest a platform.

use oci_spec::image::{Descriptor, ImageIndex, ImageManifest};

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
        let entries: Vec<&Descriptor> = index
            .manifests()
            .iter()
            .filter(|d| self.is_wanted(d))
            .collect();
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

    /// A name that is only a tag gets the layout's own: `oci:/images/debian:12` is `debian:12`.
    fn reference(&self, descriptor: &Descriptor) -> Option<Reference> {
        let own = own_name(descriptor)?;
        if own.contains([':', '/']) {
            return Reference::parse(own).ok();
        }
        let path = std::path::Path::new(&self.title);
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let stem = path.file_stem()?.to_str()?.to_lowercase();
        Reference::parse(&format!("{stem}:{own}")).ok()
    }

    fn image(&self, entry: &Descriptor, names: Vec<Reference>) -> Result<Offered, SourceError> {
        let (descriptor, bytes) = self.manifest(entry, 0)?;
        let manifest: ImageManifest = serde_json::from_slice(&bytes)
            .map_err(|error| self.bad(&format!("its manifest: {error}")))?;
        let config = manifest.config();
        let config_bytes = self.checked("its configuration", &blob(config), config.digest())?;
        let parsed = self.parsed(&config_bytes)?;
        let diff_ids = self.diff_ids(&parsed, manifest.layers().len())?;
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
        let platforms: Vec<String> = index.manifests().iter().map(platform).collect();
        let found = platforms.iter().position(|platform| *platform == wanted);
        let Some(found) = found.or((platforms.len() == 1).then_some(0)) else {
            return Err(SourceError::Platform {
                source_name: self.title.clone(),
                found: platforms.join(", "),
                wanted,
            });
        };
        self.manifest(&index.manifests()[found], depth + 1)
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

fn platform(descriptor: &Descriptor) -> String {
    let platform = descriptor.platform().as_ref();
    platform.map_or_else(String::new, |p| format!("{}/{}", p.os(), p.architecture()))
}

fn blob(descriptor: &Descriptor) -> String {
    let digest = descriptor.digest();
    format!("blobs/{}/{}", digest.algorithm(), digest.digest())
}
