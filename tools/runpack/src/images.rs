//! `runpack images`, `inspect`, `history`: what docker(1) shows of images, as data.

use std::str::FromStr;

use oci_spec::image::Digest;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Image, Store, StoreError, Unreadable};

const NONE: &str = "<none>";

/// A row of `images`: an image under one of its names. Docker's field names.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Row {
    #[serde(rename = "kind")]
    pub kind: &'static str,
    #[serde(rename = "name")]
    pub name: String,
    #[serde(rename = "schema")]
    pub schema: u32,
    pub repository: String,
    pub tag: String,
    #[serde(rename = "ID")]
    pub id: String,
    pub created_at: String,
    pub created_since: String,
    pub size: String,
    #[serde(rename = "SizeBytes")]
    pub size_bytes: u64,
}

/// One row a name, the newest image first, and what cannot be read. `filter`: only this repository or name.
pub fn rows(
    store: &Store,
    filter: Option<&str>,
    no_trunc: bool,
) -> Result<(Vec<Row>, Vec<Unreadable>), StoreError> {
    let now = jiff::Timestamp::now().as_second();
    let mut rows = Vec::new();
    let (images, unreadable) = store.list()?;
    for image in images {
        let id = if no_trunc {
            image.id.to_string()
        } else {
            image.short_id().to_owned()
        };
        let mut names: Vec<(String, String)> = image
            .names
            .iter()
            .map(|name| (name.repository(), name.tag().to_owned()))
            .collect();
        if names.is_empty() {
            names.push((NONE.to_owned(), NONE.to_owned()));
        }
        for (repository, tag) in names {
            let name = format!("{repository}:{tag}");
            if filter.is_some_and(|wanted| wanted != repository && wanted != name) {
                continue;
            }
            rows.push(Row {
                kind: "image",
                name: if repository == NONE { id.clone() } else { name },
                schema: 1,
                repository,
                tag,
                id: id.clone(),
                created_at: image.config.created().clone().unwrap_or_default(),
                created_since: image.created.map_or_else(
                    || "N/A".to_owned(),
                    |then| format!("{} ago", human_duration(now - then)),
                ),
                size: human_size(image.size),
                size_bytes: image.size,
            });
        }
    }
    Ok((rows, unreadable))
}

/// What `docker inspect` says of an image.
pub fn inspect(store: &Store, wanted: &str) -> Result<Value, StoreError> {
    let image = store.resolve(wanted)?;
    let raw = store.read_blob("configuration", &image.id)?;
    let raw: Value = serde_json::from_slice(&raw).unwrap_or_default();
    let lowers = store.layer_states(&image)?;
    let lowers = lowers.into_iter().rev().map(|state| match state {
        crate::LayerState::Unpacked { path, .. } => path,
        crate::LayerState::Packed { blob } => blob,
    });
    let lowers = crate::layer::shown(lowers.collect());
    let lowers: Vec<String> = lowers
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
    Ok(json!({
        "Id": image.id.to_string(),
        "RepoTags": names,
        "RepoDigests": repo_digests(&image),
        "Parent": "",
        "Comment": raw["comment"].as_str().unwrap_or_default(),
        "Created": image.config.created().clone().unwrap_or_default(),
        "DockerVersion": raw["docker_version"].as_str().unwrap_or_default(),
        "Author": image.config.author().clone().unwrap_or_default(),
        "Config": raw["config"],
        "Architecture": image.config.architecture().to_string(),
        "Os": image.config.os().to_string(),
        "Size": image.size,
        "GraphDriver": { "Name": "overlay", "Data": { "LowerDir": lowers.join(":") } },
        "RootFS": { "Type": "layers", "Layers": image.config.rootfs().diff_ids() },
    }))
}

fn repo_digests(image: &Image) -> Vec<String> {
    let digest = image.descriptor.digest();
    let mut all: Vec<String> = image
        .names
        .iter()
        .map(|name| format!("{}@{digest}", name.repository()))
        .collect();
    all.dedup();
    all
}

/// A row of `history`, the newest first.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HistoryRow {
    #[serde(rename = "kind")]
    pub kind: &'static str,
    #[serde(rename = "name")]
    pub name: String,
    #[serde(rename = "schema")]
    pub schema: u32,
    #[serde(rename = "ID")]
    pub id: String,
    pub created_at: String,
    pub created_since: String,
    pub created_by: String,
    pub size: String,
    pub comment: String,
}

/// How an image came to be.
pub fn history(store: &Store, wanted: &str, no_trunc: bool) -> Result<Vec<HistoryRow>, StoreError> {
    const SHOWN: usize = 45;
    let image = store.resolve(wanted)?;
    let now = jiff::Timestamp::now().as_second();
    let mut sizes = store.layer_states(&image)?.into_iter();
    let lines = image.config.history().clone().unwrap_or_default();
    let last = lines.len();
    let mut rows = Vec::new();
    for (number, line) in (1..).zip(&lines) {
        let empty = line.empty_layer().unwrap_or(false);
        let size = match (empty, if empty { None } else { sizes.next() }) {
            (false, Some(crate::LayerState::Unpacked { bytes, .. })) => bytes,
            (false, Some(crate::LayerState::Packed { blob })) => {
                blob.metadata().map_or(0, |meta| meta.len())
            }
            _ => 0,
        };
        let id = match (number == last, no_trunc) {
            (true, true) => image.id.to_string(),
            (true, false) => image.short_id().to_owned(),
            (false, _) => "<missing>".to_owned(),
        };
        let created = line.created().clone().unwrap_or_default();
        let since = jiff::Timestamp::from_str(&created).ok();
        let by = line.created_by().clone().unwrap_or_default();
        let short: String = by.chars().take(SHOWN - 1).collect();
        let cut = !no_trunc && by.chars().count() > SHOWN;
        rows.push(HistoryRow {
            kind: "layer",
            name: id.clone(),
            schema: 1,
            id,
            created_since: since.map_or_else(
                || "N/A".to_owned(),
                |then| format!("{} ago", human_duration(now - then.as_second())),
            ),
            created_at: created,
            created_by: if cut { format!("{short}…") } else { by },
            size: human_size(size),
            comment: line.comment().clone().unwrap_or_default(),
        });
    }
    rows.reverse();
    Ok(rows)
}

/// An ID as a person types it.
pub fn short(id: &Digest) -> &str {
    &id.digest()[..12]
}

/// As docker prints sizes: three digits, powers of 1000.
pub fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    let digits = if size >= 100.0 {
        0
    } else {
        1 + usize::from(size < 10.0)
    };
    let text = format!("{size:.digits$}");
    let text = if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        &text
    };
    format!("{text}{}", UNITS[unit])
}

/// As docker prints ages, from seconds: hours are rounded, all else is cut.
pub fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds.saturating_add(1800) / 3600);
    match seconds {
        i64::MIN..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_read_as_dockers() {
        let sizes = [0, 999, 1000, 7_377_000, 123_456_789, 1_500_000_000].map(human_size);
        assert_eq!(sizes, ["0B", "999B", "1kB", "7.38MB", "123MB", "1.5GB"]);
        let ages = [0, 5, 61, 3599, 5399, 5400, 6000, 7200].map(human_duration);
        assert_eq!(
            ages,
            [
                "Less than a second",
                "5 seconds",
                "About a minute",
                "59 minutes",
                "About an hour",
                "2 hours",
                "2 hours",
                "2 hours"
            ]
        );
        let ages = [171_000, 86_400 * 3, 86_400 * 15, 86_400 * 800];
        assert_eq!(
            ages.map(human_duration),
            ["2 days", "3 days", "2 weeks", "2 years"]
        );
    }
}
