//! `runpack import`: a root file system's tar becomes an image of one layer, with no history and the configuration that `--change` gives it.
//! The archive is kept as it is, compressed or not.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Mutex;

use kit_plan::{Plan, StepError, Value, quote, words};
use oci_spec::image::MediaType;

use crate::change::Change;
use crate::intake::{
    Explain, ImageName, Intake, Job, Layer, NewImage, Origin, Outcome, Progress, work_of,
};
use crate::interrupt::Patient;
use crate::layer::LayerError;
use crate::says;
use crate::source::{SourceError, foreign_coding, not_fetched};
use crate::store::to_json;
use crate::{Reference, Store, config_of, regular};

const BUFFER: usize = 256 * 1024;

/// What is to be imported, and as what.
#[derive(Debug, Clone)]
pub struct Import {
    /// A file, or `-`.
    pub file: PathBuf,
    /// What it is to be called.
    pub name: Option<Reference>,
    /// To its configuration.
    pub changes: Vec<Change>,
    /// The one line of its history.
    pub message: Option<String>,
    /// Hears how far it has come.
    pub progress: Progress,
}

/// Opens the archive and looks at its beginning.
pub fn plan(root: &Path, import: &Import) -> Result<(Plan, Outcome), SourceError> {
    let store = Store::open(root);
    let stream = open(&import.file, import.name.as_ref())?;
    let work = work_of(&store);
    let job = Job {
        title: "the layer".to_owned(),
        origin: Origin::Stream(Mutex::new(Some(stream))),
        digest: None,
        diff_id: None,
        below: Vec::new(),
        media_type: None,
        keep: Some(work.join("0.blob")),
        unpack: Some(work.join("0")),
        explain: explain(&import.file),
    };
    let mut plan = Plan::new(format!("runpack import {}", import.file.display()));
    let intake = Intake::new(store, work, vec![job], import.progress.clone());
    intake.push_layers(&mut plan);
    let outcome = Outcome::default();
    plan.push(ImageName {
        intake,
        images: vec![image(import)],
        says: match &import.name {
            Some(name) => says::name(name),
            None => says::nameless(),
        },
        line: line(import),
        outcome: Rc::clone(&outcome),
    });
    Ok((plan, outcome))
}

fn image(import: &Import) -> NewImage {
    let comment = import.message.clone();
    // docker's words.
    let comment = comment.unwrap_or_else(|| format!("Imported from {}", import.file.display()));
    let changes = import.changes.clone();
    NewImage {
        layers: vec![Layer::Taken(0)],
        config: Box::new(move |diff_ids| {
            let mut config = config_of(diff_ids, "");
            for line in config.history_mut().iter_mut().flatten() {
                line.set_created_by(None);
                line.set_comment(Some(comment.clone()));
            }
            for change in &changes {
                change.apply(&mut config);
            }
            to_json(&config).map_err(StepError::whole)
        }),
        config_type: MediaType::ImageConfig,
        manifest: None,
        names: import.name.iter().cloned().collect(),
    }
}

fn line(import: &Import) -> Vec<Value> {
    let mut line: Vec<Value> = words!["runpack", "import"];
    for change in &import.changes {
        line.extend(words!["--change", change.to_string()]);
    }
    if let Some(message) = &import.message {
        line.extend(words!["--message", message]);
    }
    line.extend(words!["--", &import.file]);
    line.extend(import.name.iter().map(|name| Value::from(name.to_string())));
    line
}

/// The archive, or why it is none.
fn open(path: &Path, name: Option<&Reference>) -> Result<Box<dyn Read + Send>, SourceError> {
    not_fetched(path, "runpack import - NAME")?;
    let is_pipe = |path: &Path| path.metadata().is_ok_and(|meta| meta.file_type().is_fifo());
    let file: Box<dyn Read + Send> = if path == Path::new("-") {
        Box::new(Patient::stdin().map_err(SourceError::io("open", path))?)
    } else if is_pipe(path) {
        Box::new(Patient::open(path).map_err(SourceError::io("open", path))?)
    } else {
        Box::new(regular::open(path).map_err(SourceError::io("open", path))?)
    };
    let mut stream = BufReader::with_capacity(BUFFER, file);
    let start = stream.fill_buf().map_err(SourceError::io("read", path))?;
    if let Some((by, program)) = foreign_coding(start) {
        return Err(SourceError::NotImage {
            source_name: path.into(),
            reason: format!("it is compressed by {by}, which is not read here"),
            hint: format!(
                "a tar is taken as it is, or by gzip or zstd: {program} -dc {} | runpack import - {}",
                quote(path.as_os_str()),
                name.map_or_else(|| "NAME".to_owned(), |name| quote(name.to_string()))
            ),
        });
    }
    let reason = if start.is_empty() {
        "it is empty"
    } else if start.trim_ascii_start().starts_with(b"<") {
        "it is a web page, not an archive"
    } else {
        return Ok(Box::new(stream));
    };
    Err(not_image(path, reason.to_owned()))
}

fn not_image(path: &Path, reason: String) -> SourceError {
    SourceError::NotImage {
        source_name: path.into(),
        reason,
        hint: "import takes a tar of a root file system, compressed or not".to_owned(),
    }
}

fn explain(path: &Path) -> Explain {
    let path = path.to_owned();
    Box::new(move |error| match error {
        LayerError::Stream(error) => SourceError::io("read", &path)(error),
        LayerError::Io { call, path, source } => SourceError::Io { call, path, source },
        other => not_image(&path, other.to_string()),
    })
}
