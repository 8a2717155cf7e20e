//! A NUL byte in a text of config.json: to the kernel it is the text's end, so that a path, an argument or a variable would be
//! another one. Annotations are no texts of the kernel's.

use std::path::PathBuf;

use oci_spec::runtime::Spec;
use serde_json::Value;

use super::Checked;
use crate::EngineError;

/// Refuses a NUL byte, by the path of its field, such as `process.args[1]`.
pub fn check(spec: &Spec) -> Checked {
    let failed = |source| EngineError::Json {
        path: PathBuf::from("config.json"),
        source,
    };
    // As JSON writes the byte. To take each field apart would cost every start more than its checks together.
    if !serde_json::to_string(spec)
        .map_err(failed)?
        .contains(r"\u0000")
    {
        return Ok(());
    }
    let json = serde_json::to_value(spec).map_err(failed)?;
    let fields = json.as_object().into_iter().flatten();
    for (name, value) in fields.filter(|(name, _)| *name != "annotations") {
        if let Some(below) = with_nul(value) {
            return Err(EngineError::invalid(
                format!("{name}{below}"),
                "it has a NUL byte",
            ));
        }
    }
    Ok(())
}

/// Where the first such text in `value` is, as a path from it on. A name in a map is a text too.
fn with_nul(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then(String::new),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let below = with_nul(item)?;
            Some(format!("[{index}]{below}"))
        }),
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let below = if name.contains('\0') {
                String::new()
            } else {
                with_nul(value)?
            };
            Some(format!(".{}{below}", name.escape_debug()))
        }),
        _ => None,
    }
}
