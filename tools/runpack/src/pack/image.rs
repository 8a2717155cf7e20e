//! The image around the layer: its configuration, and the steps that write and publish both.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError, Value};
use oci_spec::image::{Config, Descriptor, Digest, ImageConfiguration, MediaType};

use super::base::{GROUP, PASSWD};
use super::error::PackError;
use super::host::Host;
use super::tree::{Entry, Tree};
use super::{Packed, write_layer};
use crate::intake::{ImageName, Intake, Layer, NewImage, Outcome, Progress, work_of};
use crate::load::{interrupted, store_error};
use crate::says;
use crate::store::to_json;
use crate::{Reference, Store, StoreError, config_of};

/// Large enough that system calls do not count.
const BUFFER: usize = 256 * 1024;

/// What a container of the image starts with, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The words before those that a container is given.
    pub entrypoint: Option<Vec<String>>,
    /// The first program, if this and the entrypoint are both left out.
    pub cmd: Option<Vec<String>>,
    /// `KEY=VALUE`; PATH is there anyway.
    pub env: Vec<String>,
    /// `8080`, `53/udp`.
    pub expose: Vec<String>,
    /// Where a container begins.
    pub workdir: Option<String>,
    /// `USER[:GROUP]`
    pub user: Option<String>,
    /// Keys and values.
    pub labels: Vec<(String, String)>,
    /// Paths that become volumes.
    pub volumes: Vec<String>,
}

/// An image ready to be made.
pub struct PackImage {
    /// Whose files they are.
    pub host: Host,
    /// What is packed.
    pub packed: Packed,
    /// What its configuration says.
    pub settings: Settings,
    /// What it is to be called.
    pub names: Vec<Reference>,
    /// `BOXKIT_ROOT`.
    pub root: PathBuf,
    /// Seconds since 1970, for every file and for the image.
    pub time: u64,
    /// The command line that makes the same image.
    pub words: Vec<OsString>,
    /// Hears how far it has come.
    pub progress: Progress,
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
    /// The layer, then the image that names it: a layer that no image names is nothing.
    pub fn plan(self) -> Plan {
        let command = self.words.join(" ".as_ref()).to_string_lossy().into_owned();
        let mut plan = Plan::new(command);
        let store = Store::open(&self.root);
        let work = work_of(&store);
        let intake = Intake::new(store, work, Vec::new(), self.progress.clone());
        let image = Rc::new(self);
        let written = Rc::default();
        plan.push(WriteLayer {
            intake: Rc::clone(&intake),
            image: Rc::clone(&image),
            written: Rc::clone(&written),
        });
        let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
        plan.push(ImageName {
            intake,
            says: says::name(names.join(", ")),
            line: image.words.iter().map(Value::from).collect(),
            images: vec![NewImage {
                layers: vec![Layer::Written(written)],
                names: image.names.clone(),
                config: Box::new(move |diff_ids| {
                    let config = image.configuration(diff_ids).map_err(step_error)?;
                    to_json(&config).map_err(StepError::whole)
                }),
                config_type: MediaType::ImageConfig,
                manifest: None,
            }],
            outcome: Outcome::default(),
        });
        plan
    }

    fn write(&self, store: &Store) -> Result<Descriptor, WriteError> {
        let blob = BufWriter::with_capacity(BUFFER, store.blob_writer()?.telling(&self.progress));
        let blob = write_layer(&self.host, &self.packed.tree, self.time, blob)?;
        let blob = blob
            .into_inner()
            .map_err(|e| PackError::io(super::Call::Write, store.dir(), e.into_error()))?;
        let (digest, size) = blob.finish(None)?;
        Ok(Descriptor::new(MediaType::ImageLayer, size, digest))
    }

    fn configuration(&self, diff_ids: &[Digest]) -> Result<ImageConfiguration, PackError> {
        let created_by = self.words.join(" ".as_ref()).to_string_lossy().into_owned();
        let mut image = config_of(diff_ids, &created_by);
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
}

/// Either half of the work.
#[derive(Debug, thiserror::Error)]
enum WriteError {
    #[error(transparent)]
    Pack(#[from] PackError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn step_error(error: PackError) -> StepError {
    interrupted().unwrap_or_else(|| error.into())
}

/// All files as one tar, which is its own content: digested as it is written, published under its digest.
struct WriteLayer {
    intake: Rc<Intake>,
    image: Rc<PackImage>,
    written: Rc<OnceCell<Descriptor>>,
}

impl Step for WriteLayer {
    fn meta(&self) -> Meta {
        let count = self.image.packed.tree.entries().count();
        Meta::new("layer.write", says::pack(count), Shell::Ours(Vec::new()))
    }

    /// Nothing names it yet; it is swept up.
    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        self.intake.begin().map_err(store_error)?;
        let written = self.image.write(&self.intake.store);
        let layer = written.map_err(|error| match error {
            WriteError::Pack(error) => step_error(error),
            WriteError::Store(error) => store_error(error),
        })?;
        let entries = self.image.packed.tree.entries();
        let files = entries.filter(|(_, e)| matches!(e, Entry::File(_))).count();
        let note = format!("{files} files, {} bytes, {}", layer.size(), layer.digest());
        let zh = format!("{files} 个文件，{} 字节，{}", layer.size(), layer.digest());
        // Set once: a plan is applied once.
        let _ = self.written.set(layer);
        Ok(Done::nothing().note(note, zh))
    }
}
