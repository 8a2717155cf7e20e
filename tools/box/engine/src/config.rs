//! Reading config.json. An error names the field, such as `process.user.uid`. A key that the types do not have is an
//! extension, to be passed over (config.md, "Extensibility"), unless the file is of a specification newer than
//! [`OCI_VERSION`], which may say what the key demands: then it is refused.

use std::path::Path;

use oci_spec::runtime::{Capability, Spec};
use serde_json::Value;

use crate::{EngineError, OCI_VERSION};

/// Reads and checks the file. It is a regular one of at most 16 MiB.
pub(crate) fn read(path: &Path) -> Result<Spec, EngineError> {
    let io = |source| EngineError::Io {
        path: path.to_owned(),
        source,
    };
    let text = kit_home::read_regular(path).map_err(io)?;
    let json = serde_json::from_slice(&text).map_err(|source| EngineError::Json {
        path: path.to_owned(),
        source,
    })?;
    parse(json).map_err(|error| match error {
        Wrong::Whole(reason) => io(std::io::Error::other(reason)),
        Wrong::Field(error) => error,
    })
}

enum Wrong {
    /// The file is no configuration at all.
    Whole(String),
    Field(EngineError),
}

fn parse(mut json: Value) -> Result<Spec, Wrong> {
    if !json.is_object() {
        return Err(Wrong::Whole("it is no JSON object".to_owned()));
    }
    check_capabilities(&json).map_err(Wrong::Field)?;
    spell_flags(&mut json);
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path| unknown.push(path.to_string());
    let json = serde_ignored::Deserializer::new(json, &mut note);
    let spec: Spec = serde_path_to_error::deserialize(json).map_err(|error| {
        let (field, reason) = (error.path().to_string(), error.inner().to_string());
        match field.as_str() {
            "." => Wrong::Whole(reason),
            _ => Wrong::Field(EngineError::invalid(field, reason)),
        }
    })?;
    match unknown.into_iter().next() {
        Some(key) if is_newer(spec.version()) => {
            let reason = format!(
                "ociVersion is {}, and the fields of {OCI_VERSION} are known, of which this is none",
                spec.version()
            );
            // serde_ignored writes `?` for each Option that it passes.
            let field = key.replace(".?", "");
            Err(Wrong::Field(EngineError::unsupported(field, reason)))
        }
        _ => Ok(spec),
    }
}

/// Whether a version has fields that [`OCI_VERSION`] has not: those come with a new minor number (semver.org).
fn is_newer(version: &str) -> bool {
    let minor = |version: &str| version.split('.').nth(1).and_then(|text| text.parse().ok());
    let ours: Option<u32> = minor(OCI_VERSION);
    minor(version) > ours
}

/// A name that is no capability, by the field that has it: the types of oci-spec would say nothing of where it is.
fn check_capabilities(json: &Value) -> Result<(), EngineError> {
    let sets = json.pointer("/process/capabilities");
    for (set, names) in sets.and_then(Value::as_object).into_iter().flatten() {
        for name in names.as_array().into_iter().flatten() {
            let Some(name) = name.as_str() else { continue };
            let known: Result<Capability, _> = serde_json::from_value(name.into());
            if known.is_err() {
                let field = format!("process.capabilities.{set}");
                let reason = format!("{name:?} is no capability that this engine knows");
                return Err(EngineError::invalid(field, reason));
            }
        }
    }
    Ok(())
}

/// Flags of process.scheduler that have another name in oci-spec 0.10 than in the specification.
const SPELLED: [(&str, &str); 2] = [
    ("SCHED_FLAG_RESET_ON_FORK", "SCHED_RESET_ON_FORK"),
    ("SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_D_L_OVERRUN"),
];

fn spell_flags(json: &mut Value) {
    let flags = json.pointer_mut("/process/scheduler/flags");
    for flag in flags.and_then(Value::as_array_mut).into_iter().flatten() {
        let other = SPELLED.iter().find(|(name, _)| flag.as_str() == Some(name));
        if let Some((_, theirs)) = other {
            *flag = (*theirs).into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        match parse(serde_json::from_str(text).unwrap()) {
            Ok(_) => "taken".to_owned(),
            Err(Wrong::Whole(reason)) => reason,
            Err(Wrong::Field(error)) => error.to_string(),
        }
    }

    #[test]
    fn an_error_names_its_field() {
        for (text, wanted) in [
            ("[]", "it is no JSON object"),
            (
                r#"{"ociVersion":"1.2.0","mounts":[{"destination":"/a"},{"destination":7}]}"#,
                "reading \"mounts[1].destination\" of config.json: invalid type: integer `7`, expected path string",
            ),
            (
                r#"{"ociVersion":"1.2.0","process":{"cwd":"/","user":{"uid":-1,"gid":0}}}"#,
                "reading \"process.user.uid\" of config.json: invalid value: integer `-1`, expected u32",
            ),
            (
                r#"{"ociVersion":"1.2.0","process":{"capabilities":{"bounding":["CAP_KILL","CAP_FLY"]}}}"#,
                "reading \"process.capabilities.bounding\" of config.json: \"CAP_FLY\" is no capability that this engine knows",
            ),
        ] {
            assert_eq!(said(text), wanted, "{text}");
        }
    }

    #[test]
    fn unknown_keys_are_extensions_in_the_versions_that_we_know_alone() {
        let at = |version: &str, rest: &str| format!(r#"{{"ociVersion":"{version}",{rest}}}"#);
        let inner = r#""linux":{"resources":{"memory":{"later":1}}}"#;
        for version in ["1.0.2", "1.2.0", "1.2.9", "1.2.1+dev"] {
            assert_eq!(said(&at(version, inner)), "taken", "{version}");
        }
        for (rest, field) in [
            (inner, "linux.resources.memory.later"),
            (r#""later":{"a":1}"#, "later"),
            (
                r#""mounts":[{"destination":"/x","later":1}]"#,
                "mounts.0.later",
            ),
        ] {
            let wanted = format!(
                "carrying out \"{field}\" of config.json: ociVersion is 1.9.0, and the fields of {OCI_VERSION} are known, of which this is none"
            );
            assert_eq!(said(&at("1.9.0", rest)), wanted);
        }
        // Names of the user's own are no keys.
        let own = r#""annotations":{"x":"y"},"linux":{"sysctl":{"net.a":"1"}}"#;
        assert_eq!(said(&at("1.9.0", own)), "taken");
    }

    #[test]
    fn the_flags_of_the_scheduler_are_the_specifications() {
        for name in [
            "RESET_ON_FORK",
            "RECLAIM",
            "DL_OVERRUN",
            "KEEP_POLICY",
            "KEEP_PARAMS",
            "UTIL_CLAMP_MIN",
            "UTIL_CLAMP_MAX",
        ] {
            let text = format!(
                r#"{{"ociVersion":"1.2.0","process":{{"cwd":"/","user":{{"uid":0,"gid":0}},"scheduler":{{"policy":"SCHED_OTHER","flags":["SCHED_FLAG_{name}"]}}}}}}"#
            );
            assert_eq!(said(&text), "taken", "{name}");
        }
    }
}
