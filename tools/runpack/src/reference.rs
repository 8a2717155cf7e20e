//! What an image is called: names in the store, by docker's rules, and the places an image can come from, as in containers tools.
//! Pure: nothing here looks at the disk but to tell a file from a name in [`Source::parse`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::str::FromStr;

use kit_plan::{Fault, USAGE, quote};

const DEFAULT_DOMAIN: &str = "docker.io";
/// What docker.io was called once: docker takes the one for the other.
const LEGACY_DOMAIN: &str = "index.docker.io";
const DEFAULT_TAG: &str = "latest";
/// The namespace of a one-word name: `alpine` is `docker.io/library/alpine`.
const OFFICIAL: &str = "library/";
const MAX_TAG: usize = 128;
const MAX_NAME: usize = 255;
const ID_DIGITS: usize = 64;
/// No image's name begins with these.
const PATHS: [&[u8]; 3] = [b"/", b"./", b"../"];

/// Why a text names no image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum ReferenceError {
    #[error("reading image name {name:?}: {reason}")]
    Name { name: String, reason: &'static str },
    #[error("reading source {source_text:?}: {reason}")]
    Source {
        source_text: OsString,
        reason: &'static str,
        hint: String,
    },
}

impl Fault for ReferenceError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Name { .. } => {
                "a name is [HOST[:PORT]/]REPOSITORY[:TAG], the repository in lower case".to_owned()
            }
            Self::Source { hint, .. } => hint.clone(),
        })
    }

    fn exit(&self) -> u8 {
        USAGE
    }
}

/// An image's name, normalised: `alpine` and `docker.io/library/alpine:latest` are equal.
///
/// ```
/// use runpack::Reference;
/// let name: Reference = "localhost:5000/team/web".parse()?;
/// assert_eq!(name.to_string(), "localhost:5000/team/web:latest");
/// assert_eq!(Reference::parse("docker.io/library/alpine:3")?.to_string(), "alpine:3");
/// # Ok::<(), runpack::ReferenceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    domain: String,
    path: String,
    tag: String,
}

impl Reference {
    /// `[HOST[:PORT]/]REPOSITORY[:TAG]`
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        let wrong = |reason| ReferenceError::Name {
            name: text.to_owned(),
            reason,
        };
        if text.contains('@') {
            return Err(wrong("a name to be given cannot hold a digest"));
        }
        let (name, tag) = match text.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (text, DEFAULT_TAG),
        };
        let (domain, path) = match name.split_once('/') {
            Some((LEGACY_DOMAIN, rest)) => (DEFAULT_DOMAIN, rest.to_owned()),
            Some((first, rest)) if is_domain(first) => (first, rest.to_owned()),
            _ => (DEFAULT_DOMAIN, name.to_owned()),
        };
        let path = if domain == DEFAULT_DOMAIN && !path.contains('/') {
            format!("{OFFICIAL}{path}")
        } else {
            path
        };
        if name.is_empty() {
            return Err(wrong("it is empty"));
        }
        if name.len() > MAX_NAME {
            return Err(wrong("it is longer than 255 characters"));
        }
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(wrong("the repository must be lower case"));
        }
        if !domain_ok(domain) || !path.split('/').all(component_ok) {
            return Err(wrong("it has characters that a name cannot have"));
        }
        if !tag_ok(tag) {
            return Err(wrong("the tag is not one"));
        }
        // What is an image's ID must never be another one's name. In docker's words.
        if domain == DEFAULT_DOMAIN
            && let Some(word) = path.strip_prefix(OFFICIAL)
        {
            if word == "sha256" {
                return Err(wrong(
                    "refusing to create an ambiguous tag using digest algorithm as name",
                ));
            }
            if word.len() == ID_DIGITS && word.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(wrong("cannot specify 64-byte hexadecimal strings"));
            }
        }
        Ok(Self {
            domain: domain.to_owned(),
            path,
            tag: tag.to_owned(),
        })
    }

    /// The name without its tag, short as people write it: `alpine`, `user/web`, `localhost:5000/web`.
    pub fn repository(&self) -> String {
        if self.domain == DEFAULT_DOMAIN {
            let path = self.path.strip_prefix(OFFICIAL);
            path.unwrap_or(&self.path).to_owned()
        } else {
            format!("{}/{}", self.domain, self.path)
        }
    }

    /// `latest` where none was given.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The registry's host, `docker.io` if none was named.
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository(), self.tag)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Self::parse(text)
    }
}

/// Docker's rule: the first component is a host if it has a dot or a port, is localhost, or has capitals.
fn is_domain(first: &str) -> bool {
    first.contains(['.', ':'])
        || first == "localhost"
        || first.bytes().any(|b| b.is_ascii_uppercase())
}

fn domain_ok(domain: &str) -> bool {
    let (host, port) = domain.split_once(':').unwrap_or((domain, "0"));
    !port.is_empty()
        && port.bytes().all(|b| b.is_ascii_digit())
        && host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
        })
}

/// Lower-case words joined by `.`, `_`, `__` or dashes.
fn component_ok(component: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends = bytes.first().copied().is_some_and(word) && bytes.last().copied().is_some_and(word);
    let mut between = component.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    ends && between
        .all(|joint| matches!(joint, "" | "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}

fn tag_ok(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= MAX_TAG
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || matches!(b, b'.' | b'-'))
}

/// Where an image is to be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // a directory or file, and which image in it
pub enum Source {
    /// `oci:DIR[:TAG]`, an OCI image layout.
    OciDir { dir: PathBuf, tag: Option<String> },
    /// `oci-archive:FILE[:TAG]`, the same in a tar.
    OciArchive { file: PathBuf, tag: Option<String> },
    /// `docker-archive:FILE[:NAME]`, made by `docker save`.
    DockerArchive { file: PathBuf, name: Option<String> },
    /// A plain file or directory: which of these it is, its content says.
    Guess(PathBuf),
    /// `-`
    Stdin,
    /// A name, in the store.
    Store(String),
}

impl Source {
    /// `file_first`: a text that is no transport is a path (`load`), not a name in the store (`unpack`). One that can be no name is a path.
    pub fn parse(text: &OsStr, file_first: bool) -> Result<Self, ReferenceError> {
        let wrong = |reason, hint: String| ReferenceError::Source {
            source_text: text.to_owned(),
            reason,
            hint,
        };
        let bytes = text.as_bytes();
        if bytes == b"-" {
            return Ok(Self::Stdin);
        }
        if let Some(name) = bytes.strip_prefix(b"docker://") {
            // A name by a digest is none that skopeo gives to an archive.
            let (to, name_to): (&[u8], _) = if name.contains(&b'@') {
                (b"docker-archive:/dev/stdout", &b""[..])
            } else {
                (b"docker-archive:/dev/stdout:", name)
            };
            let hint = format!(
                "skopeo copy -q {} {} | runpack load",
                quote(OsStr::from_bytes(&[b"docker://", name].concat())),
                quote(OsStr::from_bytes(&[to, name_to].concat()))
            );
            return Err(wrong("nothing is pulled from a registry yet", hint));
        }
        let mut schemes = ["oci", "oci-archive", "docker-archive"].into_iter();
        let scheme = schemes.find_map(|scheme| {
            let rest = bytes.strip_prefix(scheme.as_bytes())?;
            Some((scheme, rest.strip_prefix(b":")?))
        });
        let Some((scheme, rest)) = scheme else {
            let is_path = PATHS.iter().any(|begin| bytes.starts_with(begin));
            return Ok(match text.to_str() {
                Some(name) if !file_first && !is_path => Self::Store(name.to_owned()),
                _ => Self::Guess(text.into()),
            });
        };
        let (path, tag) = match rest.iter().position(|b| *b == b':') {
            Some(at) => (
                &rest[..at],
                Some(String::from_utf8_lossy(&rest[at + 1..]).into_owned()),
            ),
            None => (rest, None),
        };
        if path.is_empty() || tag.as_deref() == Some("") {
            let hint = "oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:NAME]";
            return Err(wrong("a part is missing", hint.to_owned()));
        }
        let path = PathBuf::from(OsStr::from_bytes(path));
        Ok(match scheme {
            "oci" => Self::OciDir { dir: path, tag },
            "oci-archive" => Self::OciArchive { file: path, tag },
            _ => Self::DockerArchive {
                file: path,
                name: tag,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_normalised_as_docker_does() {
        for (text, shown) in [
            ("alpine", "alpine:latest"),
            ("docker.io/alpine", "alpine:latest"),
            ("index.docker.io/library/alpine:3", "alpine:3"),
            ("index.docker.io/alpine", "alpine:latest"),
            ("docker.io/library/alpine:3.19", "alpine:3.19"),
            ("user/web", "user/web:latest"),
            ("localhost:5000/web:v1", "localhost:5000/web:v1"),
            ("localhost/web", "localhost/web:latest"),
            (
                "images.example/a/b__c/d-e:T_1.x",
                "images.example/a/b__c/d-e:T_1.x",
            ),
        ] {
            assert_eq!(Reference::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn names_that_are_none_are_refused() {
        for text in [
            "",
            ":",
            "a:",
            "Alpine",
            "a/B",
            "-a",
            "a-",
            "a..b",
            "a//b",
            "../a",
            "a:-x",
            "a b",
            "a@sha256:00",
            "a/b:c/d",
            "a___b",
            "ho st:1/a",
            "host:x/a",
            "sha256",
            "sha256:abc",
            "library/sha256:1",
            "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "docker.io/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef:1",
        ] {
            assert!(Reference::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sources_are_told_apart() {
        let oci = Source::parse(OsStr::new("oci:/tmp/x:a:b"), true).unwrap();
        assert_eq!(
            oci,
            Source::OciDir {
                dir: "/tmp/x".into(),
                tag: Some("a:b".into())
            }
        );
        let name = Source::parse(OsStr::new("web:1"), false).unwrap();
        assert_eq!(name, Source::Store("web:1".into()));
        assert_eq!(
            Source::parse(OsStr::new("web:1"), true).unwrap(),
            Source::Guess("web:1".into())
        );
        let refused = Source::parse(OsStr::new("docker://alpine"), true).unwrap_err();
        assert!(refused.hint().unwrap().contains("skopeo copy"));
        assert!(Source::parse(OsStr::new("oci:"), true).is_err());
        for path in ["/a.tar", "./web", "../web:1"] {
            let path = OsStr::new(path);
            assert_eq!(Source::parse(path, false), Ok(Source::Guess(path.into())));
        }
        let latin = OsStr::from_bytes(b"caf\xe9");
        assert_eq!(Source::parse(latin, false), Ok(Source::Guess(latin.into())));
        let archive = OsStr::from_bytes(b"oci-archive:caf\xe9:x");
        let file = PathBuf::from(latin);
        let tag = Some("x".to_owned());
        assert_eq!(
            Source::parse(archive, false),
            Ok(Source::OciArchive { file, tag })
        );
    }
}
