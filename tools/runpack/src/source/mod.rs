//! Images from elsewhere into the store: OCI layouts and `docker save` archives, told apart by their content.
//! The order is: blobs, each against its digest; layers unpacked, each against its diff ID; then, and only then, the name.

mod container;
mod docker;
mod oci;

use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Descriptor, Digest, MediaType};

use crate::error::{StoreError, io_hint};
use crate::reference::{Reference, Source};
use crate::store::{Image, ImageId, Store};
use container::Container;

/// An image that is in the store now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub id: ImageId,
    pub names: Vec<Reference>,
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// In place of the image's own names.
    pub name: Option<Reference>,
    /// `OS/ARCHITECTURE`, where not this machine's.
    pub platform: Option<String>,
    /// Leave the layers packed; for a store that is only passed through.
    pub packed: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error("{call} {path:?}: {source}")]
    Io {
        call: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("loading {source_name:?}: {reason}")]
    NotImage {
        source_name: String,
        reason: String,
        hint: String,
    },
    #[error("unpacking into {dir:?}: {reason}")]
    Target { dir: PathBuf, reason: &'static str },
    #[error("loading {source_name:?}: it has no image {tag:?}")]
    NoTag {
        source_name: String,
        tag: String,
        has: Vec<String>,
    },
    #[error("loading {source_name:?}: it is for {found}, and this machine is {wanted}")]
    Platform {
        source_name: String,
        found: String,
        wanted: String,
    },
    #[error("loading {source_name:?}: it has {count} images, and one name is given")]
    Several { source_name: String, count: usize },
    #[error("loading {source_name:?}: {what}: {error}")]
    Part {
        source_name: String,
        what: String,
        error: Box<StoreError>,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SourceError {
    pub(crate) fn io<'a>(
        call: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            call,
            path: path.to_owned(),
            source,
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::NotImage { hint, .. } => Some(hint.clone()),
            Self::Target { .. } => Some("name a new directory".to_owned()),
            Self::NoTag { has, .. } => Some(format!("it has: {}", has.join(", "))),
            Self::Platform { found, .. } => {
                Some(format!("--platform {found} loads it all the same"))
            }
            Self::Several { .. } => Some("leave out -t: they keep their own names".to_owned()),
            Self::Part { error, .. } => error.hint(),
            Self::Store(error) => error.hint(),
        }
    }
}

/// Loads what `source` has. A [`Source::Store`] is no place to load from, and is refused.
pub fn load(
    store: &Store,
    source: &Source,
    options: &LoadOptions,
) -> Result<Vec<Loaded>, SourceError> {
    let loaded = Loading::new(store, source, options).and_then(|loading| loading.all());
    if loaded.is_err() {
        store.give_up();
    }
    loaded
}

/// One load under way.
pub(crate) struct Loading<'a> {
    store: &'a Store,
    options: &'a LoadOptions,
    container: Container,
    /// As the user gave it.
    title: String,
    tag: Option<String>,
    form: FormOf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FormOf {
    Oci,
    Docker,
}

impl<'a> Loading<'a> {
    fn new(
        store: &'a Store,
        source: &Source,
        options: &'a LoadOptions,
    ) -> Result<Self, SourceError> {
        let (path, tag, wanted) = match source {
            Source::OciDir { dir, tag } => (dir.clone(), tag, Some(FormOf::Oci)),
            Source::OciArchive { file, tag } => (file.clone(), tag, Some(FormOf::Oci)),
            Source::DockerArchive { file, name } => (file.clone(), name, Some(FormOf::Docker)),
            Source::Guess(path) => (path.clone(), &None, None),
            Source::Stdin => (PathBuf::from("-"), &None, None),
            Source::Store(name) => {
                return Err(SourceError::NotImage {
                    source_name: name.clone(),
                    reason: "it is a name in the store".to_owned(),
                    hint: "name a file, oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE"
                        .to_owned(),
                });
            }
        };
        let title = path.display().to_string();
        let container = Container::open(store, &path)?;
        let is = |form: FormOf, name| wanted.unwrap_or(form) == form && container.has(name);
        let form = if is(FormOf::Oci, "index.json") {
            FormOf::Oci
        } else if is(FormOf::Docker, "manifest.json") {
            FormOf::Docker
        } else {
            return Err(not_image(&container, wanted, title));
        };
        Ok(Self {
            store,
            options,
            container,
            title,
            tag: tag.clone(),
            form,
        })
    }

    fn all(&self) -> Result<Vec<Loaded>, SourceError> {
        match self.form {
            FormOf::Oci => self.oci(),
            FormOf::Docker => self.docker(),
        }
    }

    fn names(&self, own: Vec<Reference>, images: usize) -> Result<Vec<Reference>, SourceError> {
        match &self.options.name {
            Some(_) if images > 1 => Err(SourceError::Several {
                source_name: self.title.clone(),
                count: images,
            }),
            Some(name) => Ok(vec![name.clone()]),
            None => Ok(own),
        }
    }

    fn bad(&self, reason: &dyn std::fmt::Display) -> SourceError {
        SourceError::NotImage {
            source_name: self.title.clone(),
            reason: reason.to_string(),
            hint: "it is damaged or not an image; fetch it again".to_owned(),
        }
    }

    /// One blob into the store, unless it is there.
    fn put(
        &self,
        what: &str,
        name: &str,
        media_type: MediaType,
        digest: Option<&Digest>,
    ) -> Result<Descriptor, SourceError> {
        if let Some(digest) = digest
            && self.store.has_blob(digest)
        {
            // Held, so that nothing sweeps it between here and the name.
            self.store.hold()?;
            let path = self.store.blob_path(digest);
            if let Ok(meta) = path.metadata() {
                return Ok(Descriptor::new(media_type, meta.len(), digest.clone()));
            }
        }
        if self.options.packed
            && let (Container::Dir(dir), Some(digest)) = (&self.container, digest)
        {
            // Only passed through, and read but once: whoever unpacks it checks it.
            self.store.hold()?;
            let (from, to) = (dir.join(name), self.store.blob_path(digest));
            let from = std::path::absolute(&from).map_err(SourceError::io("find", &from))?;
            let length = from
                .metadata()
                .map_err(SourceError::io("open", &from))?
                .len();
            std::os::unix::fs::symlink(&from, &to).map_err(SourceError::io("symlink", &to))?;
            return Ok(Descriptor::new(media_type, length, digest.clone()));
        }
        let reader = self.container.reader(name)?;
        let put = self.store.put_blob(reader, media_type, digest);
        put.map_err(|error| SourceError::Part {
            source_name: self.title.clone(),
            what: what.to_owned(),
            error: Box::new(error),
        })
    }

    /// Unpacks, which checks the diff IDs, and publishes.
    fn publish(
        &self,
        manifest: &[u8],
        media_type: MediaType,
        names: Vec<Reference>,
    ) -> Result<Loaded, SourceError> {
        let put = self.store.put_blob(manifest, media_type.clone(), None)?;
        let image: Image = self.store.unnamed(&put)?;
        self.check_platform(&image)?;
        if !self.options.packed {
            self.store
                .unpack_missing(&image)
                .map_err(|error| SourceError::Part {
                    source_name: self.title.clone(),
                    what: names
                        .first()
                        .map_or_else(|| image.id.to_string(), ToString::to_string),
                    error: Box::new(error),
                })?;
        }
        let id = self
            .store
            .commit_manifest(manifest, media_type, &image.id, &names)?;
        Ok(Loaded { id, names })
    }

    fn check_platform(&self, image: &Image) -> Result<(), SourceError> {
        let found = format!("{}/{}", image.config.os(), image.config.architecture());
        let wanted = self.wanted_platform();
        // Old images do not say.
        if found == wanted || found == "/" {
            return Ok(());
        }
        Err(SourceError::Platform {
            source_name: self.title.clone(),
            found,
            wanted,
        })
    }

    fn wanted_platform(&self) -> String {
        let host = || format!("linux/{}", crate::pack::host_architecture());
        self.options.platform.clone().unwrap_or_else(host)
    }
}

/// Why what is there is no image, and what to do with it.
fn not_image(container: &Container, wanted: Option<FormOf>, title: String) -> SourceError {
    let rootfs = ["bin", "usr", "etc", "./bin", "./usr", "./etc"];
    let (reason, hint) = if wanted.is_some() && container.has("index.json") {
        ("it is an OCI image", format!("oci-archive:{title}"))
    } else if wanted.is_some() && container.has("manifest.json") {
        (
            "it is an archive of docker save",
            format!("docker-archive:{title}"),
        )
    } else if container.is_dir() {
        let hint = format!(
            "tar -C {title} -c . | runpack import - NAME makes an image of a root directory"
        );
        ("the directory is no OCI image layout", hint)
    } else if rootfs.iter().any(|name| container.has_dir(name)) {
        let hint = format!("runpack import {title} NAME makes an image of it");
        ("it is a root file system, not an image", hint)
    } else {
        let hint = format!("runpack import {title} NAME, if it is a root file system");
        (
            "the archive has neither an index.json nor a manifest.json",
            hint,
        )
    };
    SourceError::NotImage {
        source_name: title,
        reason: reason.to_owned(),
        hint,
    }
}
