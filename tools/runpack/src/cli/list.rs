//! The verbs that show what the store has.

use kit_cli::template::{asked, formatted};
use kit_cli::{Output, Result, emit, emit_json, rows_like_docker};
use kit_plan::Roots;
use serde_json::{Value, json};

use super::say_unreadable;
use crate::Store;
use crate::images::{self, Filter};

/// Which images, as the command line has it.
pub(super) struct Listed {
    pub no_trunc: bool,
    pub filters: Vec<String>,
    pub reference: Option<String>,
}

pub(super) fn images(
    roots: &Roots,
    listed: &Listed,
    output: Output,
    format: Option<&str>,
) -> Result {
    let store = Store::open(&roots.root);
    let filters = listed.filters.iter();
    let filters = filters.map(|text| Filter::parse(&store, text));
    let filters: std::result::Result<Vec<_>, _> = filters.collect();
    let mut filters = filters?;
    filters.extend(listed.reference.as_deref().map(Filter::reference));
    let (rows, unreadable) = images::rows(&store, &filters, listed.no_trunc)?;
    say_unreadable(&unreadable);
    let output = match asked(format) {
        None | Some("table") => output,
        Some("json") => Output {
            jsonl: true,
            ..output
        },
        Some(format) => {
            // Strings and a number: always JSON.
            let objects = rows
                .iter()
                .map(|row| serde_json::to_value(row).unwrap_or_default());
            let text = formatted(format, heads(), objects, rows_like_docker);
            emit(&text?)?;
            return Ok(0);
        }
    };
    output.list(&rows)?;
    Ok(0)
}

/// docker's, of a row's fields.
fn heads() -> Value {
    json!({"Repository": "REPOSITORY", "Tag": "TAG", "ID": "IMAGE ID", "Digest": "DIGEST",
        "CreatedSince": "CREATED", "CreatedAt": "CREATED AT", "Size": "SIZE"})
}

pub(super) fn inspect(roots: &Roots, wanted: &[String]) -> Result {
    let store = Store::open(&roots.root);
    let mut found = Vec::new();
    let names = super::image_names(roots, wanted)?;
    let outcome = kit_cli::each(&names, |name| {
        found.push(images::inspect(&store, name)?);
        Ok(())
    });
    // As docker: what was found is shown, whatever else was asked for.
    emit_json(&found)?;
    outcome
}
