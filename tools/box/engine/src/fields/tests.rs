//! The table held against oci-spec's types: what a fully filled configuration prints of itself is every field there is.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::*;

const EVERY: &str = include_str!("every.json");

/// Fields by their paths, from the `{:#?}` of a configuration with every field set: a line `name: value` for each, indented
/// by its depth. Names as Rust has them.
fn printed(spec: &Spec) -> BTreeSet<String> {
    let mut open: Vec<(usize, &str)> = Vec::new();
    let mut all = BTreeSet::new();
    let text = format!("{spec:#?}");
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        while open.last().is_some_and(|(depth, _)| *depth >= indent) {
            open.pop();
        }
        let Some((name, _)) = line.trim_start().split_once(": ") else {
            continue;
        };
        if name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        {
            open.push((indent, name));
            let names: Vec<&str> = open.iter().map(|(_, name)| *name).collect();
            all.insert(names.join("."));
        }
    }
    all
}

/// A path of either kind, so that `cgroups_path` and `cgroupsPath` are one.
fn plain(path: &str) -> String {
    let part = |part: &str| match part {
        "typ" => "type".to_owned(),
        "version" => "ociversion".to_owned(),
        "cpu_affinity_final" => "final".to_owned(),
        _ => part.replace('_', "").to_lowercase(),
    };
    path.split('.').map(part).collect::<Vec<_>>().join(".")
}

/// Whole objects that the table has one row for: what is below is refused or carried out with them.
const WHOLE: [&str; 12] = [
    "linux.intelRdt",
    "linux.memoryPolicy",
    "solaris",
    "windows",
    "vm",
    "zos",
    "uidMappings",
    "gidMappings",
    "linux.resources.blockIO.throttle",
    "mounts.uidMappings",
    "mounts.gidMappings",
    "hooks.",
];

fn every() -> Spec {
    serde_json::from_str(EVERY).expect("every.json is a configuration")
}

/// A field of a new oci-spec that nobody looked at yet fails this: say in `FIELDS` what becomes of it.
#[test]
fn every_field_of_the_types_is_in_the_table() {
    let rows: BTreeSet<String> = FIELDS.iter().map(|field| plain(field.path)).collect();
    let below = |path: &String| {
        let whole = |whole: &&str| path.starts_with(&plain(whole)) && path.contains('.');
        WHOLE.iter().any(whole) && !rows.contains(path)
    };
    let types: BTreeSet<String> = printed(&every()).iter().map(|path| plain(path)).collect();
    assert!(
        types.len() > 150,
        "the types print their fields: {}",
        types.len()
    );
    let inner = |path: &String| {
        types
            .iter()
            .any(|other| other.starts_with(&format!("{path}.")))
    };
    let leaves = types.iter().filter(|path| !inner(path) && !below(path));
    let missing: Vec<_> = leaves.filter(|path| !rows.contains(*path)).collect();
    assert_eq!(missing, [""; 0], "in the types, not in the table");
    let hooks = |path: &String| path.starts_with("hooks.");
    let unknown: Vec<_> = rows
        .iter()
        .filter(|path| !types.contains(*path) && !hooks(path))
        .collect();
    assert_eq!(unknown, [""; 0], "in the table, not in the types");
}

/// Each refused field, set alone, is named.
#[test]
fn what_is_not_carried_out_is_refused_by_its_name() {
    let refused = FIELDS.iter().filter_map(|field| match field.fate {
        Fate::Refused(why, is_set) => Some((field.path, why, is_set)),
        Fate::Done(_) => None,
    });
    let every: serde_json::Value = serde_json::from_str(EVERY).unwrap();
    let mut tried = 0;
    for (path, why, is_set) in refused {
        let alone = alone(&every, path);
        let spec: Spec = serde_json::from_value(alone.clone())
            .unwrap_or_else(|e| panic!("{path}: {e} in {alone}"));
        assert!(is_set(&spec), "{path} is seen in {alone}");
        let said = check(&spec).unwrap_err().to_string();
        assert_eq!(
            said,
            format!("carrying out \"{path}\" of config.json: {why}")
        );
        tried += 1;
    }
    assert!(tried > 15);
}

/// The smallest configuration that has the value of `path`, and what its types need beside it.
fn alone(every: &serde_json::Value, path: &str) -> serde_json::Value {
    let mut kept = serde_json::json!({"ociVersion": "1.2.0"});
    let parts: Vec<&str> = path.split('.').collect();
    keep(every, &mut kept, &parts);
    kept
}

fn keep(from: &serde_json::Value, to: &mut serde_json::Value, path: &[&str]) {
    use serde_json::Value;
    let Some((first, rest)) = path.split_first() else {
        *to = from.clone();
        return;
    };
    match from {
        Value::Array(items) => {
            let mut item = Value::Object(serde_json::Map::new());
            keep(&items[0], &mut item, path);
            *to = Value::Array(vec![item]);
        }
        Value::Object(map) if map.contains_key(*first) => {
            let mut inner = Value::Object(serde_json::Map::new());
            keep(&map[*first], &mut inner, rest);
            to[*first] = inner;
            for needed in NEEDED.iter().filter(|needed| map.contains_key(**needed)) {
                if to[*needed].is_null() {
                    to[*needed] = match *needed {
                        "user" => serde_json::json!({"uid": 0, "gid": 0}),
                        _ => map[*needed].clone(),
                    };
                }
            }
        }
        // A map by names: its first entry.
        Value::Object(map) => {
            let (name, value) = map.iter().next().expect("every.json fills each map");
            let mut inner = Value::Object(serde_json::Map::new());
            keep(value, &mut inner, path);
            to[name.as_str()] = inner;
        }
        _ => {}
    }
}

/// What oci-spec cannot do without.
const NEEDED: [&str; 11] = [
    "destination",
    "cwd",
    "uid",
    "gid",
    "major",
    "minor",
    "defaultAction",
    "domain",
    "mode",
    "user",
    "layerFolders",
];

#[test]
fn a_version_of_another_major_number_is_refused() {
    for (version, ok) in [
        ("1.0.2", true),
        ("1.3.0", true),
        ("9.9.9", false),
        ("", false),
        ("2", false),
    ] {
        let spec: Spec = serde_json::from_str(&format!(r#"{{"ociVersion":"{version}"}}"#)).unwrap();
        assert_eq!(check(&spec).is_ok(), ok, "{version}");
    }
}

/// docs/oci.md is this table: UPDATE_DOCS=1 writes it.
#[test]
fn the_document_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/oci.md");
    let text = std::fs::read_to_string(path).expect("docs/oci.md");
    let (head, rest) = text
        .split_once("<!-- fields -->\n")
        .expect("the mark where the table begins");
    let (_, tail) = rest
        .split_once("<!-- end -->\n")
        .expect("the mark where it ends");
    let mut table = String::from("| field | what becomes of it |\n|---|---|\n");
    for field in FIELDS {
        let fate = match field.fate {
            Fate::Done(how) => how.to_owned(),
            Fate::Refused(why, _) => format!("**refused**: {why}"),
        };
        let _ = writeln!(table, "| `{}` | {fate} |", field.path);
    }
    let wanted = format!("{head}<!-- fields -->\n{table}<!-- end -->\n{tail}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &wanted).expect("docs/oci.md can be written");
    }
    assert!(
        text == wanted || std::env::var_os("UPDATE_DOCS").is_some(),
        "docs/oci.md is not the table of fields.rs: run this test with UPDATE_DOCS=1"
    );
}
