//! The image around the layer: its configuration, and the step that writes and publishes both.

use std::ffi::OsString;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, Value};
use oci_spec::image::{Config, Descriptor, ImageConfiguration, MediaType};

use super::base::{GROUP, PASSWD};
use super::error::PackError;
use super::host::Host;
use super::tree::{Entry, Tree};
use super::{Packed, write_layer};
use crate::{Reference, Store, StoreError, config_of};

/// Large enough that system calls do not count.
const BUFFER: usize = 256 * 1024;

/// What a container of the image starts with, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub entrypoint: Option<Vec<String>>,
    /// The first program, if this and the entrypoint are both left out.
    pub cmd: Option<Vec<String>>,
    /// `KEY=VALUE`; PATH is there anyway.
    pub env: Vec<String>,
    /// `8080`, `53/udp`.
    pub expose: Vec<String>,
    pub workdir: Option<String>,
    pub user: Option<String>,
    pub labels: Vec<(String, String)>,
    pub volumes: Vec<String>,
}

/// An image ready to be made.
pub struct PackImage {
    pub host: Host,
    pub packed: Packed,
    pub settings: Settings,
    pub names: Vec<Reference>,
    /// `BOXKIT_ROOT`.
    pub root: PathBuf,
    /// Seconds since 1970, for every file and for the image.
    pub time: u64,
    /// The command line that makes the same image.
    pub words: Vec<OsString>,
}

impl Settings {
    /// Refuses what no container could start with, before anything is written.
    pub fn check(&self, host: &Host, tree: &Tree) -> Result<(), PackError> {
        if let Some(user) = &self.user {
            let (user, group) = match user.split_once(':') {
                Some((user, group)) => (user, Some(group)),
                None => (user.as_str(), None),
            };
            check_account(host, tree, PASSWD, user)?;
            group.map_or(Ok(()), |group| check_account(host, tree, GROUP, group))?;
        }
        Ok(())
    }

    fn config(&self, packed: &Packed) -> Result<Config, PackError> {
        let text = |flag, value: OsString| {
            value.into_string().map_err(|value| PackError::BadValue {
                flag,
                value: value.to_string_lossy().into_owned(),
                reason: "an image's configuration is UTF-8, and this is not",
            })
        };
        let mut config = Config::default();
        let mut env = Vec::new();
        if !self.env.iter().any(|pair| pair.starts_with("PATH=")) {
            env.push(format!("PATH={}", text("--env", packed.path.clone())?));
        }
        env.extend(self.env.iter().cloned());
        config.set_env(Some(env));
        let mut cmd = self.cmd.clone();
        if let (None, None, Some(first)) = (&self.entrypoint, &cmd, packed.programs.first()) {
            cmd = Some(vec![text("--bin", first.clone().into_os_string())?]);
        }
        config.set_cmd(cmd);
        config.set_entrypoint(self.entrypoint.clone());
        config.set_working_dir(self.workdir.clone());
        config.set_user(self.user.clone());
        config.set_exposed_ports(some(&self.expose));
        config.set_volumes(some(&self.volumes));
        let labels = self.labels.iter().cloned().collect();
        config.set_labels((!self.labels.is_empty()).then_some(labels));
        Ok(config)
    }
}

fn some(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

/// A number needs no account; a name is looked up in the image's own file, as the runtime will.
fn check_account(
    host: &Host,
    tree: &Tree,
    file: &'static str,
    name: &str,
) -> Result<(), PackError> {
    if name.parse::<u32>().is_ok() {
        return Ok(());
    }
    let content = match tree.get(&tree.resolve(Path::new(file))?) {
        Some(Entry::Text { bytes, .. }) => bytes.clone(),
        Some(Entry::File(source)) => host.read(&source.path)?,
        _ => Vec::new(),
    };
    let content = String::from_utf8_lossy(&content);
    let known = content
        .lines()
        .any(|line| line.split(':').next() == Some(name));
    if known && !name.is_empty() {
        return Ok(());
    }
    Err(PackError::NoAccount {
        name: name.to_owned(),
        file,
    })
}

impl PackImage {
    /// One step: a layer that no image names is nothing.
    pub fn plan(self) -> Plan {
        let command = self.words.join(" ".as_ref()).to_string_lossy().into_owned();
        let mut plan = Plan::new(command);
        plan.push(self);
        plan
    }

    fn write(&self, store: &Store) -> Result<(Descriptor, u64), WriteError> {
        let blob = BufWriter::with_capacity(BUFFER, store.blob_writer()?);
        let blob = write_layer(&self.host, &self.packed.tree, self.time, blob)?;
        let blob = blob
            .into_inner()
            .map_err(|e| PackError::io(super::Call::Write, store.dir(), e.into_error()))?;
        let (digest, size) = blob.finish(None)?;
        Ok((Descriptor::new(MediaType::ImageLayer, size, digest), size))
    }

    fn configuration(&self, layer: &Descriptor) -> Result<ImageConfiguration, PackError> {
        let created_by = self.words.join(" ".as_ref()).to_string_lossy().into_owned();
        let mut image = config_of(std::slice::from_ref(layer.digest()), &created_by);
        // The time of the files, not of this run: the same image again is the same image.
        let time = i64::try_from(self.time)
            .ok()
            .and_then(|s| jiff::Timestamp::from_second(s).ok());
        let time = time.map(|t| t.to_string());
        let history = image.history().clone().unwrap_or_default();
        let history = history.into_iter().map(|mut line| {
            line.set_created(time.clone());
            line
        });
        image.set_history(Some(history.collect()));
        image.set_created(time.clone());
        image.set_config(Some(self.settings.config(&self.packed)?));
        Ok(image)
    }

    fn make(&self) -> Result<String, WriteError> {
        let store = Store::open(&self.root);
        let (layer, size) = self.write(&store)?;
        let config = self.configuration(&layer)?;
        let files = self
            .packed
            .tree
            .entries()
            .filter(|(_, e)| matches!(e, Entry::File(_)))
            .count();
        let id = store.commit_image(&config, vec![layer], &self.names)?;
        Ok(format!("{files} files, {size} bytes, {id}"))
    }
}

/// Either half of the work.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Step for PackImage {
    fn meta(&self) -> Meta {
        let count = self.packed.tree.entries().count();
        let words = self.words.iter().map(Value::from).collect();
        let why = format!(
            "programs, their libraries and interpreters, {count} paths in all, as one layer and an image of it"
        );
        Meta::new("image.pack", why, Shell::Ours(vec![Line::Run(words)]))
    }

    /// The store publishes by a rename at the very end, and sweeps what was never published.
    fn intent(&self, _: &Slots) -> Vec<Undo> {
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        match self.make() {
            Ok(note) => Ok(Done::nothing().note(note)),
            Err(error) => {
                let hint = match &error {
                    WriteError::Pack(error) => error.hint(),
                    WriteError::Store(error) => error.hint(),
                };
                let error = StepError::whole(error);
                Err(match hint {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        }
    }
}
