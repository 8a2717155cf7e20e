//! A row of `ps` for programs and templates: docker's fields.

use runpack::images::listed_time;
use serde_json::{Value, json};

use super::super::docker::mode;
use super::{Entry, HEAD, word};

/// docker's column heads for `--format 'table …'`, as an object with the fields of a row.
pub(super) fn heads() -> Value {
    json!({"ID": HEAD[0], "Image": HEAD[1], "Command": HEAD[2], "CreatedAt": "CREATED AT",
        "RunningFor": HEAD[3], "Status": HEAD[4], "State": "STATE", "Ports": HEAD[5], "Names": HEAD[6],
        "Labels": "LABELS", "Networks": "NETWORKS", "Mounts": "MOUNTS", "LocalVolumes": "LOCAL VOLUMES",
        "Size": "SIZE"})
}

/// One container; `row` has its cells. `Size` is there only where it was measured.
pub(super) fn object(entry: &Entry, row: &[String; 7]) -> Value {
    let Entry {
        container, state, ..
    } = entry;
    let labels = container.labels.iter();
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    let mounts = container.mounts.iter();
    let mounts: Vec<String> = mounts
        .map(|mount| match mount.name.as_str() {
            "" => mount.source.display().to_string(),
            name => name.to_owned(),
        })
        .collect();
    let volumes = container
        .mounts
        .iter()
        .filter(|mount| mount.kind == "volume");
    let mut object = json!({
        "schema": 1,
        "kind": "container",
        "name": row[6],
        "ID": row[0],
        "Image": row[1],
        "Command": row[2],
        "CreatedAt": listed_time(&container.created),
        "RunningFor": row[3],
        "Status": row[4],
        "State": word(state),
        "Ports": row[5],
        "Names": row[6],
        "Labels": labels.join(","),
        "Networks": mode(container),
        "Mounts": mounts.join(","),
        "LocalVolumes": volumes.count().to_string(),
    });
    if let Some(size) = &entry.size {
        object["Size"] = json!(size);
    }
    object
}
