//! `runpack images`, `inspect`, `history`: what docker(1) shows of images, as data.

use std::str::FromStr;

pub use kit_units::{human_duration, human_size};
use oci_spec::image::Digest;
use serde::Serialize;
use serde_json::{Value, json};

mod filter;

pub use filter::Filter;

use crate::{Image, Reference, Store, StoreError, Unreadable};

const NONE: &str = "<none>";

/// A row of `images`: an image under one of its names. Docker's field names.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Row {
    /// `image`
    #[serde(rename = "kind")]
    pub kind: &'static str,
    /// `REPOSITORY:TAG`, or the ID of one without a name.
    #[serde(rename = "name")]
    pub name: String,
    /// The version of this form: 1.
    #[serde(rename = "schema")]
    pub schema: u32,
    /// `<none>` of one without a name.
    pub repository: String,
    /// `<none>` of one without a name.
    pub tag: String,
    /// Of its configuration.
    #[serde(rename = "ID")]
    pub id: String,
    /// Of the manifest.
    pub digest: String,
    /// As its configuration says it, in docker's form.
    pub created_at: String,
    /// `3 days ago`
    pub created_since: String,
    /// For people.
    pub size: String,
    /// Of its files, where its layers are unpacked, else of its blobs.
    #[serde(rename = "SizeBytes")]
    pub size_bytes: u64,
}

/// One row a name, the newest image first, and what cannot be read.
pub fn rows(
    store: &Store,
    filters: &[Filter],
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
        let mut names: Vec<Option<&Reference>> = image.names.iter().map(Some).collect();
        if names.is_empty() {
            names.push(None);
        }
        for reference in names {
            if !filter::fit(filters, &image, reference) {
                continue;
            }
            let none = || NONE.to_owned();
            let repository = reference.map_or_else(none, Reference::repository);
            let tag = reference.map_or_else(none, |name| name.tag().to_owned());
            let name = reference.map_or_else(|| id.clone(), ToString::to_string);
            rows.push(Row {
                kind: "image",
                name,
                schema: 1,
                repository,
                tag,
                id: id.clone(),
                digest: image.descriptor.digest().to_string(),
                created_at: listed_time(image.config.created().as_deref().unwrap_or_default()),
                created_since: since(image.created, now),
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
    /// `layer`
    #[serde(rename = "kind")]
    pub kind: &'static str,
    /// The image's ID, or `<missing>`, as docker has it.
    #[serde(rename = "name")]
    pub name: String,
    /// The version of this form: 1.
    #[serde(rename = "schema")]
    pub schema: u32,
    /// The same for programs.
    #[serde(rename = "ID")]
    pub id: String,
    /// As the image's history says it.
    pub created_at: String,
    /// `3 days ago`
    pub created_since: String,
    /// The instruction that made it.
    pub created_by: String,
    /// For people.
    pub size: String,
    /// As the image's history says it.
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
            (false, Some(crate::LayerState::Packed { blob })) => crate::store::packed_size(&blob),
            _ => 0,
        };
        let id = match (number == last, no_trunc) {
            (true, true) => image.id.to_string(),
            (true, false) => image.short_id().to_owned(),
            (false, _) => "<missing>".to_owned(),
        };
        let created = line.created().clone().unwrap_or_default();
        let then = jiff::Timestamp::from_str(&created).ok();
        let by = line.created_by().clone().unwrap_or_default();
        let short: String = by.chars().take(SHOWN - 1).collect();
        let cut = !no_trunc && by.chars().count() > SHOWN;
        rows.push(HistoryRow {
            kind: "layer",
            name: id.clone(),
            schema: 1,
            id,
            created_since: since(then.map(jiff::Timestamp::as_second), now),
            created_at: created,
            created_by: if cut { format!("{short}…") } else { by },
            size: human_size(size),
            comment: line.comment().clone().unwrap_or_default(),
        });
    }
    rows.reverse();
    Ok(rows)
}

/// A time of RFC 3339 as docker's lists have it: `2026-11-29 15:46:17 +0000 UTC`. What is no time stays.
pub fn listed_time(text: &str) -> String {
    let time = jiff::Timestamp::from_str(text);
    time.map_or_else(
        |_| text.to_owned(),
        |time| time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
    )
}

/// How long ago. The beginning of 1970 is what a reproducible image says for no time.
fn since(then: Option<i64>, now: i64) -> String {
    match then {
        None | Some(0) => "N/A".to_owned(),
        Some(then) => format!("{} ago", human_duration(now - then)),
    }
}

/// An ID as a person types it.
pub fn short(id: &Digest) -> &str {
    &id.digest()[..12]
}
