//! Names in the index: given, moved, taken away, and guessed at.

use oci_spec::image::Descriptor;

use super::ImageId;
use super::index::Entry;
use crate::reference::Reference;

/// Points `names` at a manifest. Whose name is taken away keeps an entry without one; an image with a name needs none such.
pub(super) fn give_names(
    entries: &mut Vec<Entry>,
    manifest: &Descriptor,
    id: &ImageId,
    names: &[Reference],
) {
    for name in names {
        take_name(entries, name);
        entries.push(Entry::new(manifest.clone(), id, Some(name)));
    }
    let same = |entry: &Entry| entry.descriptor.digest() == manifest.digest();
    if entries.iter().any(|e| same(e) && e.name().is_some()) {
        entries.retain(|e| !same(e) || e.name().is_some());
    } else if !entries.iter().any(same) {
        entries.push(Entry::new(manifest.clone(), id, None));
    }
}

/// Takes a name away; the last one of an image leaves a nameless entry. Whether there was such a name.
pub(super) fn take_name(entries: &mut Vec<Entry>, name: &Reference) -> bool {
    let Some(at) = entries.iter().position(|e| e.is_named(name)) else {
        return false;
    };
    let mut gone = entries.remove(at);
    let digest = gone.descriptor.digest().clone();
    if !entries.iter().any(|e| *e.descriptor.digest() == digest) {
        let config = gone.config();
        gone.descriptor.set_annotations(None);
        let nameless = match config {
            Some(config) => Entry::new(gone.descriptor, &config, None),
            None => gone,
        };
        entries.push(nameless);
    }
    true
}

/// The name that was probably meant: one letter off, or the same repository with another tag.
pub(super) fn nearest(wanted: &str, entries: &[Entry]) -> Option<String> {
    let names: Vec<String> = entries
        .iter()
        .filter_map(|e| Some(e.name()?.to_string()))
        .collect();
    let repository = wanted.split(':').next().unwrap_or(wanted);
    let same = names.iter().find(|name| {
        name.rsplit_once(':')
            .is_some_and(|(repo, _)| repo == repository || kit_units::is_near(repository, repo))
    });
    same.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::image::MediaType;

    use crate::digest::of_bytes;

    fn descriptor(content: &[u8]) -> (Descriptor, ImageId) {
        let digest = of_bytes(content);
        (
            Descriptor::new(MediaType::ImageManifest, 1, digest.clone()),
            digest,
        )
    }

    #[test]
    fn a_name_that_moves_leaves_its_image_nameless() {
        let (first, first_id) = descriptor(b"1");
        let (second, second_id) = descriptor(b"2");
        let name = [Reference::parse("web").unwrap()];
        let mut entries = Vec::new();
        give_names(&mut entries, &first, &first_id, &name);
        give_names(&mut entries, &second, &second_id, &name);
        let shown: Vec<_> = entries
            .iter()
            .map(|e| (e.config(), e.name().is_some()))
            .collect();
        assert_eq!(
            shown,
            [(Some(first_id.clone()), false), (Some(second_id), true)]
        );
        give_names(
            &mut entries,
            &first,
            &first_id,
            &[Reference::parse("old").unwrap()],
        );
        assert!(entries.iter().all(|e| e.name().is_some()));
    }
}
