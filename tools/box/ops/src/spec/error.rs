//! What can be wrong with the flags of a container, in docker's words, which people search for.

/// A flag, a limit or a name that cannot become a configuration. The text is the whole message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // each variant is its message
pub enum SpecError {
    /// A flag's value that does not parse: `invalid hostPort: x`.
    #[error("{what}: {text}")]
    Invalid { what: &'static str, text: String },
    /// A value that breaks a rule; the text is the rule.
    #[error("{0}")]
    Rule(String),
    /// Two flags, or a flag and a mode, that exclude each other.
    #[error("conflicting options: {0}")]
    Conflict(&'static str),
    #[error(
        "{text:?} includes invalid characters for a local volume name, only \"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you intended to pass a host directory, use absolute path"
    )]
    VolumeName { text: String },
    #[error("invalid container name ({text}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")]
    ContainerName { text: String },
    #[error("no command specified")]
    NoCommand,
    /// A builder of oci-spec found a field missing.
    #[error("the configuration is incomplete: {0}")]
    Build(String),
}

impl SpecError {
    pub(crate) fn invalid(what: &'static str, text: impl Into<String>) -> Self {
        Self::Invalid {
            what,
            text: text.into(),
        }
    }
}

impl From<oci_spec::OciSpecError> for SpecError {
    fn from(error: oci_spec::OciSpecError) -> Self {
        Self::Build(error.to_string())
    }
}

impl From<kit_units::UnitError> for SpecError {
    fn from(error: kit_units::UnitError) -> Self {
        Self::Rule(error.docker())
    }
}

impl kit_plan::Fault for SpecError {}
