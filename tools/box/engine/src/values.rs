//! Values of config.json that the specification does not allow, that the kernel would take for others, or that contradict
//! each other: refused before anything is made, by the name of the field. Fields that are not carried out at all are in
//! [`crate::fields`].

mod linux;
mod process;
mod resources;
mod text;

use oci_spec::runtime::Spec;

use crate::{EngineError, init, user};

type Checked = Result<(), EngineError>;

/// Refuses such values.
pub(crate) fn check(spec: &Spec) -> Checked {
    let missing = |field: &str| EngineError::invalid(field, "it is missing");
    let root = spec.root().as_ref().ok_or_else(|| missing("root"))?;
    if root.path().as_os_str().is_empty() {
        return Err(EngineError::invalid("root.path", "it is empty"));
    }
    let process = spec.process().as_ref().ok_or_else(|| missing("process"))?;
    text::check(spec)?;
    process::check(process)?;
    names(spec)?;
    annotations(spec)?;
    linux::check(spec)
}

/// `__NEW_UTS_LEN` of linux/utsname.h, in bytes.
const LONGEST_NAME: usize = 64;

fn names(spec: &Spec) -> Checked {
    for (field, name) in [
        ("hostname", spec.hostname()),
        ("domainname", spec.domainname()),
    ] {
        let long = name.as_ref().filter(|name| name.len() > LONGEST_NAME);
        if let Some(name) = long {
            let reason = format!("{} bytes, and the kernel takes {LONGEST_NAME}", name.len());
            return Err(EngineError::invalid(field, reason));
        }
    }
    Ok(())
}

/// Annotations of this engine's own: one that is misspelt would be passed over, and the program run without its filter, say,
/// or as another user.
const OURS: [&str; 3] = [init::ANNOTATION, kit_seccomp::ANNOTATION, user::ANNOTATION];
const OUR_PREFIX: &str = "org.boxkit.";

fn annotations(spec: &Spec) -> Checked {
    let invalid = |name: &str, reason: String| {
        Err(EngineError::invalid(format!("annotations.{name}"), reason))
    };
    let all = spec.annotations().as_ref();
    let names = all.into_iter().flatten().map(|(name, _)| name.as_str());
    let ours = names.filter(|name| name.starts_with(OUR_PREFIX));
    if let Some(name) = ours.filter(|name| !OURS.contains(name)).min() {
        let [init, seccomp, user] = OURS;
        return invalid(name, format!("it is none of {init}, {seccomp} and {user}"));
    }
    let init = all.and_then(|all| all.get(init::ANNOTATION));
    match init.map(String::as_str) {
        None | Some("true" | "false") => Ok(()),
        Some(value) => invalid(
            init::ANNOTATION,
            format!("{value:?} is neither \"true\" nor \"false\""),
        ),
    }
}
