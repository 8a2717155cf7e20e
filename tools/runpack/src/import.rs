//! `runpack import`: a root file system's tar becomes an image of one layer, with no history and the configuration that `--change` gives it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{
    Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, Value, words,
};
use oci_spec::image::ImageConfiguration;

use crate::change::Change;
use crate::layer::decoder;
use crate::load::step_error;
use crate::source::SourceError;
use crate::{Compression, ImageId, Reference, Store, StoreError, config_of};

const BUFFER: usize = 256 * 1024;

/// What is to be imported, and as what.
#[derive(Debug, Clone)]
pub struct Import {
    /// A file, or `-`.
    pub file: PathBuf,
    pub name: Option<Reference>,
    pub changes: Vec<Change>,
    /// The one line of its history.
    pub message: Option<String>,
}

/// The image's ID, once the plan has been applied.
pub type Outcome = Rc<RefCell<Option<ImageId>>>;

pub fn plan(root: &Path, import: Import) -> (Plan, Outcome) {
    let outcome = Outcome::default();
    let mut plan = Plan::new(format!("runpack import {}", import.file.display()));
    plan.push(ImportStep {
        root: root.to_owned(),
        import,
        outcome: Rc::clone(&outcome),
    });
    (plan, outcome)
}

/// Puts the layer, checks that it unpacks, publishes.
pub fn import(store: &Store, import: &Import) -> Result<ImageId, SourceError> {
    let path = import.file.as_path();
    let read_error = SourceError::io("read", path);
    let mut stream: BufReader<Box<dyn Read>> = BufReader::with_capacity(
        BUFFER,
        if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(File::open(path).map_err(SourceError::io("open", path))?)
        },
    );
    let start = stream.fill_buf().map_err(SourceError::io("read", path))?;
    let text = start.trim_ascii_start();
    let refused = if start.is_empty() {
        Some("it is empty")
    } else if text.starts_with(b"<") {
        Some("it is a web page, not an archive")
    } else {
        None
    };
    let not_image = |reason: String| SourceError::NotImage {
        source_name: path.display().to_string(),
        reason,
        hint: "import takes a tar of a root file system, compressed or not".to_owned(),
    };
    if let Some(reason) = refused {
        return Err(not_image(reason.to_owned()));
    }
    let (tar, _) = decoder(stream).map_err(SourceError::io("read", path))?;
    let (layer, diff_id) =
        store
            .add_layer_tar(tar, Compression::None)
            .map_err(|error| match error {
                StoreError::Stream(error) => read_error(error),
                other => other.into(),
            })?;
    let made_by = import.message.clone();
    let made_by = made_by.unwrap_or_else(|| format!("imported from {}", path.display()));
    let mut config: ImageConfiguration = config_of(&[diff_id], &made_by);
    for change in &import.changes {
        change.apply(&mut config);
    }
    let names: Vec<Reference> = import.name.iter().cloned().collect();
    store
        .commit_unpacked(&config, vec![layer], &names)
        .map_err(|error| match error {
            StoreError::Layer { source, .. } => not_image(source.to_string()),
            other => other.into(),
        })
}

struct ImportStep {
    root: PathBuf,
    import: Import,
    outcome: Outcome,
}

impl Step for ImportStep {
    fn meta(&self) -> Meta {
        let mut line: Vec<Value> = words!["runpack", "import"];
        for change in &self.import.changes {
            line.extend(words!["--change", change.to_string()]);
        }
        if let Some(message) = &self.import.message {
            line.extend(words!["--message", message]);
        }
        line.extend(words!["--", &self.import.file]);
        line.extend(
            self.import
                .name
                .iter()
                .map(|name| Value::from(name.to_string())),
        );
        Meta::new(
            "image.import",
            "a root file system becomes the one layer of an image",
            Shell::Ours(vec![Line::Run(line)]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let store = Store::open(&self.root);
        let id = import(&store, &self.import).map_err(|error| {
            store.give_up();
            step_error(error)
        })?;
        *self.outcome.borrow_mut() = Some(id);
        Ok(Done::nothing())
    }
}
