//! What an image runs on: `OS/ARCHITECTURE[/VARIANT]`. A variant counts where both say one.

use std::fmt;

use oci_spec::image::ImageConfiguration;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Platform {
    system: String,
    variant: Option<String>,
}

/// How well an image suits; the last is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// One of the two has no variant.
    Open,
    Exact,
}

impl Platform {
    pub fn parse(text: &str) -> Self {
        match text.match_indices('/').nth(1) {
            Some((at, _)) => Self::new(&text[..at], Some(&text[at + 1..])),
            None => Self::new(text, None),
        }
    }

    fn new(system: &str, variant: Option<&str>) -> Self {
        Self {
            system: system.to_owned(),
            variant: variant.filter(|v| !v.is_empty()).map(str::to_owned),
        }
    }

    /// `None`: not at all.
    pub fn fit(&self, found: &Self) -> Option<Fit> {
        if self.system != found.system {
            return None;
        }
        match (&self.variant, &found.variant) {
            (Some(wanted), Some(found)) if wanted != found => None,
            (wanted, found) if wanted == found => Some(Fit::Exact),
            _ => Some(Fit::Open),
        }
    }

    /// Old images do not say.
    pub fn is_unknown(&self) -> bool {
        self.system == "/"
    }
}

impl From<&oci_spec::image::Platform> for Platform {
    fn from(platform: &oci_spec::image::Platform) -> Self {
        let system = format!("{}/{}", platform.os(), platform.architecture());
        Self::new(&system, platform.variant().as_deref())
    }
}

impl From<&ImageConfiguration> for Platform {
    fn from(config: &ImageConfiguration) -> Self {
        let system = format!("{}/{}", config.os(), config.architecture());
        Self::new(&system, config.variant().as_deref())
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.system)?;
        self.variant
            .iter()
            .try_for_each(|variant| write!(f, "/{variant}"))
    }
}
