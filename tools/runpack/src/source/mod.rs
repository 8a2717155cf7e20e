//! Images elsewhere: OCI layouts and `docker save` archives, told apart by their content. What is small is read and checked here, before
//! anything is done; the layers are for the plan's steps.

mod container;
mod docker;
mod oci;
mod platform;

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use kit_plan::{FAILED, Fault, quote};
use oci_spec::image::{Digest, ImageConfiguration, MediaType};

use crate::ImageId;
use crate::config::read_config;
use crate::digest::of_bytes;
use crate::error::{StoreError, io_hint};
use crate::intake::Progress;
use crate::reference::{Reference, Source};
pub(crate) use container::{Container, foreign_coding};
use platform::Platform;

/// An image that a source has: read and checked, but for its layers.
pub(crate) struct Offered {
    pub id: ImageId,
    pub config: ImageConfiguration,
    pub config_bytes: Vec<u8>,
    pub config_type: MediaType,
    /// `None` in an archive of docker's: made of what the layers turn out to be.
    pub manifest: Option<(Vec<u8>, MediaType)>,
    pub layers: Vec<OfferedLayer>,
    pub names: Vec<Reference>,
}

pub(crate) struct OfferedLayer {
    /// The file's name in its container.
    pub member: String,
    /// `None` in an archive of docker's.
    pub media_type: Option<MediaType>,
    pub digest: Option<Digest>,
    pub diff_id: Digest,
}

/// All that was asked for.
pub(crate) struct Offer {
    pub title: OsString,
    pub container: Arc<Container>,
    pub images: Vec<Offered>,
}

/// How to load.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// In place of the image's own names.
    pub name: Option<Reference>,
    /// `OS/ARCHITECTURE[/VARIANT]`, where not this machine's.
    pub platform: Option<String>,
    /// Hears how far it has come.
    pub progress: Progress,
}

/// Why images cannot be taken from where they are.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum SourceError {
    #[error("{call} {path:?}: {source}")]
    Io {
        call: Cow<'static, str>,
        path: PathBuf,
        source: io::Error,
    },
    #[error("loading {source_name:?}: {reason}")]
    NotImage {
        source_name: OsString,
        reason: String,
        hint: String,
    },
    #[error("unpacking into {dir:?}: {reason}")]
    Target { dir: PathBuf, reason: &'static str },
    #[error("loading {source_name:?}: it has no image {tag:?}")]
    NoTag {
        source_name: OsString,
        tag: String,
        has: Vec<String>,
    },
    #[error("loading {source_name:?}: it is for {}, and this machine is {wanted}", all(.found))]
    Platform {
        source_name: OsString,
        found: Vec<String>,
        wanted: String,
    },
    #[error("unpacking {name:?}: it is for {found}, not {wanted}")]
    Stored {
        name: String,
        found: String,
        wanted: String,
    },
    #[error("loading {source_name:?}: it has {count} images, and one name is given")]
    Several { source_name: OsString, count: usize },
    #[error("loading {source_name:?}: {what}: {error}")]
    Part {
        source_name: OsString,
        what: String,
        #[source]
        error: Box<StoreError>,
    },
    /// An error that may name an entry of an archive alone, and where that was being written.
    #[error("{error}")]
    Below {
        dir: PathBuf,
        #[source]
        error: Box<SourceError>,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn all(platforms: &[String]) -> String {
    match platforms {
        [] => "no platform that it names".to_owned(),
        some => some.join(", "),
    }
}

impl SourceError {
    pub(crate) fn io<'a>(
        call: impl Into<Cow<'static, str>> + 'a,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            call: call.into(),
            path: path.to_owned(),
            source,
        }
    }
}

impl Fault for SourceError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::NotImage { hint, .. } => Some(hint.clone()),
            Self::Target { .. } => Some("name a new directory".to_owned()),
            Self::NoTag { has, .. } => Some(format!("it has: {}", has.join(", "))),
            Self::Platform { found, .. } => {
                let first = found.first()?;
                Some(format!("--platform {first} loads it all the same"))
            }
            Self::Stored { .. } => {
                Some("the store has an image for one platform: load the other first".to_owned())
            }
            Self::Several { .. } => Some("leave out -t: they keep their own names".to_owned()),
            Self::Part { error, .. } => error.hint(),
            Self::Below { error, .. } => error.hint(),
            Self::Store(error) => error.hint(),
        }
    }

    fn exit(&self) -> u8 {
        match self {
            Self::Below { error, .. } => error.exit(),
            Self::Store(error) => error.exit(),
            _ => FAILED,
        }
    }

    fn path(&self) -> Option<&Path> {
        match self {
            Self::Io { path, .. } => Some(path),
            Self::Store(error) => error.path(),
            Self::Part { error, .. } => error.path(),
            Self::Below { dir, error } => {
                let path = error.path().filter(|path| path.is_absolute());
                path.or(Some(dir))
            }
            _ => None,
        }
    }
}

/// What `source` has. Changes nothing: what comes as a stream is kept in a file without a name, on the disk of `near`.
/// A [`Source::Store`] is no place to load from, and is refused.
pub(crate) fn offered(
    near: &Path,
    source: &Source,
    options: &LoadOptions,
) -> Result<Offer, SourceError> {
    let reading = Reading::new(near, source, options)?;
    let images = match reading.form {
        FormOf::Oci => reading.oci()?,
        FormOf::Docker => reading.docker()?,
    };
    Ok(Offer {
        title: reading.title,
        container: Arc::new(reading.container),
        images,
    })
}

/// One source being read.
struct Reading<'a> {
    options: &'a LoadOptions,
    container: Container,
    /// As the user gave it.
    title: OsString,
    tag: Option<String>,
    form: FormOf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FormOf {
    Oci,
    Docker,
}

impl<'a> Reading<'a> {
    fn new(near: &Path, source: &Source, options: &'a LoadOptions) -> Result<Self, SourceError> {
        let (path, tag, wanted) = match source {
            Source::OciDir { dir, tag } => (dir.clone(), tag, Some(FormOf::Oci)),
            Source::OciArchive { file, tag } => (file.clone(), tag, Some(FormOf::Oci)),
            Source::DockerArchive { file, name } => (file.clone(), name, Some(FormOf::Docker)),
            Source::Guess(path) => (path.clone(), &None, None),
            Source::Stdin => (PathBuf::from("-"), &None, None),
            Source::Store(name) => {
                return Err(SourceError::NotImage {
                    source_name: name.into(),
                    reason: "it is a name in the store".to_owned(),
                    hint: "name a file, oci:DIR:TAG, oci-archive:FILE or docker-archive:FILE"
                        .to_owned(),
                });
            }
        };
        not_fetched(&path, "runpack load")?;
        let title = path.clone().into_os_string();
        let container = Container::open(near, &path, &options.progress)?;
        let is = |form: FormOf, name| wanted.unwrap_or(form) == form && container.has(name);
        let form = if is(FormOf::Oci, "index.json") {
            FormOf::Oci
        } else if is(FormOf::Docker, "manifest.json") {
            FormOf::Docker
        } else {
            return Err(not_image(&container, wanted, title));
        };
        Ok(Self {
            options,
            container,
            title,
            tag: tag.clone(),
            form,
        })
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

    /// A small file, checked against its digest.
    fn checked(&self, what: &str, name: &str, digest: &Digest) -> Result<Vec<u8>, SourceError> {
        let bytes = self.container.read(name)?;
        let got = of_bytes(&bytes);
        if got == *digest {
            return Ok(bytes);
        }
        Err(blob_error(&self.title, what, digest, &got))
    }

    fn parsed(&self, config: &[u8]) -> Result<ImageConfiguration, SourceError> {
        let parsed = read_config(config)
            .map_err(|error| self.bad(&format!("its configuration: {error}")))?;
        self.check_platform(&parsed)?;
        Ok(parsed)
    }

    /// The diff IDs, one a layer.
    fn diff_ids(
        &self,
        config: &ImageConfiguration,
        layers: usize,
    ) -> Result<Vec<Digest>, SourceError> {
        let ids = config.rootfs().diff_ids();
        if ids.len() != layers {
            return Err(self.bad(&format!("{layers} layers and {} diff IDs", ids.len())));
        }
        ids.iter()
            .map(|id| Digest::from_str(id).map_err(|error| self.bad(&error)))
            .collect()
    }

    fn check_platform(&self, config: &ImageConfiguration) -> Result<(), SourceError> {
        let (found, wanted) = (Platform::from(config), self.wanted_platform());
        if wanted.fit(&found).is_some() || found.is_unknown() {
            return Ok(());
        }
        Err(SourceError::Platform {
            source_name: self.title.clone(),
            found: vec![found.to_string()],
            wanted: wanted.to_string(),
        })
    }

    fn wanted_platform(&self) -> Platform {
        match &self.options.platform {
            Some(text) => Platform::parse(text),
            None => Platform::parse(&format!("linux/{}", crate::pack::host_architecture())),
        }
    }
}

/// A blob that is not what its name promises.
pub(crate) fn blob_error(
    title: &OsStr,
    what: &str,
    expected: &Digest,
    got: &Digest,
) -> SourceError {
    SourceError::Part {
        source_name: title.to_owned(),
        what: what.to_owned(),
        error: Box::new(StoreError::Digest {
            what: "blob".to_owned(),
            expected: expected.to_string(),
            got: got.to_string(),
        }),
    }
}

/// Refuses an address of the web in a file's place: `reads` takes what curl fetches.
pub(crate) fn not_fetched(path: &Path, reads: &str) -> Result<(), SourceError> {
    let text = path.to_string_lossy();
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return Ok(());
    }
    Err(SourceError::NotImage {
        source_name: path.into(),
        reason: "nothing is fetched from a network".to_owned(),
        hint: format!("curl -fsSL {} | {reads}", quote(path.as_os_str())),
    })
}

/// Why a file or directory is no image, and what to do with it.
fn not_image(container: &Container, wanted: Option<FormOf>, title: OsString) -> SourceError {
    let place = |scheme: &str| {
        let mut place = OsString::from(scheme);
        place.push(&title);
        quote(&place)
    };
    let rootfs = ["bin", "usr", "etc", "./bin", "./usr", "./etc"];
    let (reason, hint) = if wanted.is_some() && container.has("index.json") {
        ("it is an OCI image", place("oci-archive:"))
    } else if wanted.is_some() && container.has("manifest.json") {
        ("it is an archive of docker save", place("docker-archive:"))
    } else if container.is_dir() {
        let hint = format!(
            "tar -C {} -c . | runpack import - NAME makes an image of a root directory",
            place("")
        );
        ("the directory is no OCI image layout", hint)
    } else if rootfs.iter().any(|name| container.has_dir(name)) {
        let hint = format!("runpack import {} NAME makes an image of it", place(""));
        ("it is a root file system, not an image", hint)
    } else {
        let hint = format!(
            "runpack import {} NAME, if it is a root file system",
            place("")
        );
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
