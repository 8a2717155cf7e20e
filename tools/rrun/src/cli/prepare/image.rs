//! The image: found in the store, unpacked, and what it says of how it is run.

use std::collections::BTreeMap;

use kit_cli::{Failure, Result};
use kit_plan::os_text::escape;
use runpack::Store;

use crate::cli::flags::Create;
use box_state::{Containers, Image};

/// What an image says, or nothing for `--rootfs`.
#[derive(Default)]
pub(super) struct Config {
    pub image: Option<Image>,
    pub entrypoint: Vec<String>,
    pub cmd: Vec<String>,
    pub env: Vec<String>,
    pub workdir: String,
    pub user: String,
    pub exposed: Vec<String>,
    pub volumes: Vec<String>,
    pub labels: BTreeMap<String, String>,
    pub stop_signal: Option<String>,
}

/// The image's configuration and the words of the command.
pub(super) fn source(flags: &Create, containers: &Containers) -> Result<(Config, Vec<String>)> {
    if flags.rootfs.is_some() {
        return Ok((Config::default(), flags.words.clone()));
    }
    let Some((name, args)) = flags.words.split_first() else {
        return Err(
            Failure::usage("missing IMAGE").hint("rrun images shows them; see rrun run --help")
        );
    };
    let store = Store::open(&containers.roots.root);
    let found = store.resolve(name).map_err(|e| {
        Failure::from(e)
            .hint("rrun images lists the images; rrun load FILE adds one; runpack pack -t NAME --bin PROGRAM makes one of this machine's programs")
    })?;
    check_architecture(name, &found)?;
    check_platform(flags, name, &found)?;
    let layers = store.layers_unpacked(&found)?.into_lowest_first();
    let config = found.config.config().clone().unwrap_or_default();
    // An image's texts are UTF-8: a private character in one is no escape yet.
    let list = |list: &Option<Vec<String>>| list.iter().flatten().map(escape).collect();
    let config = Config {
        image: Some(Image {
            name: name.clone(),
            id: found.id.to_string(),
            layers,
        }),
        entrypoint: list(config.entrypoint()),
        cmd: list(config.cmd()),
        env: list(config.env()),
        workdir: config
            .working_dir()
            .as_ref()
            .map(escape)
            .unwrap_or_default(),
        user: config.user().clone().unwrap_or_default(),
        exposed: list(config.exposed_ports()),
        volumes: list(config.volumes()),
        labels: config
            .labels()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect(),
        stop_signal: config.stop_signal().clone(),
    };
    Ok((config, args.to_vec()))
}

/// `--platform`: the store has an image for one platform, so another one is refused. As docker's, it is OS, ARCHITECTURE or
/// both, and an architecture may have its variant.
fn check_platform(flags: &Create, name: &str, image: &runpack::Image) -> Result<()> {
    let Some(asked) = flags.platform.as_deref().filter(|text| !text.is_empty()) else {
        return Ok(());
    };
    let (os, architecture) = (
        image.config.os().to_string(),
        image.config.architecture().to_string(),
    );
    let whole = format!("{os}/{architecture}");
    let variant = image.config.variant().clone().unwrap_or_default();
    let is_it = [
        os,
        architecture,
        whole.clone(),
        format!("{whole}/{variant}"),
    ]
    .iter()
    .any(|name| name == asked);
    if is_it {
        return Ok(());
    }
    Err(Failure::new(format!(
        "running image \"{name}\": it is for {whole}, and not for {asked}"
    ))
    .hint("an image in the store is of one platform: leave --platform out, or load the image for the other one"))
}

fn check_architecture(name: &str, image: &runpack::Image) -> Result<()> {
    let ours = runpack::pack::host_architecture();
    let theirs = image.config.architecture().to_string();
    if theirs == ours || (ours == "amd64" && theirs == "386") || theirs.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "running image \"{name}\": it is for {theirs}, and this machine is {ours}"
    ))
    .hint("load the image for this machine"))
}
