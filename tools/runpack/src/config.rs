//! The configuration of an image: one that is made here, and one that somebody wrote.

use oci_spec::image::{Arch, Config, Digest, History, ImageConfiguration, Os, RootFs};
use serde_json::{Value, json};

/// For this machine, made now, with one line of history a layer. Everything else is the caller's to set.
pub fn config_of(diff_ids: &[Digest], created_by: &str) -> ImageConfiguration {
    let now = jiff::Timestamp::now().to_string();
    let mut rootfs = RootFs::default();
    rootfs.set_diff_ids(diff_ids.iter().map(ToString::to_string).collect());
    let mut line = History::default();
    line.set_created(Some(now.clone()));
    line.set_created_by(Some(created_by.to_owned()));
    let mut config = ImageConfiguration::default();
    config.set_created(Some(now));
    // By its default: this machine's, as images name it.
    config.set_architecture(Arch::default());
    config.set_os(Os::Linux);
    config.set_rootfs(rootfs);
    config.set_config(Some(Config::default()));
    config.set_history(Some(vec![line; diff_ids.len()]));
    config
}

/// From its JSON. docker leaves the diff IDs out where there are none, and the type wants them.
pub(crate) fn read_config(bytes: &[u8]) -> serde_json::Result<ImageConfiguration> {
    let typed = serde_json::from_slice(bytes);
    let Err(error) = typed else {
        return typed;
    };
    let mut json: Value = serde_json::from_slice(bytes)?;
    let Some(rootfs) = json.get_mut("rootfs").and_then(Value::as_object_mut) else {
        return Err(error);
    };
    match rootfs.get("diff_ids") {
        None | Some(Value::Null) => {
            rootfs.insert("diff_ids".to_owned(), json!([]));
            serde_json::from_value(json)
        }
        Some(_) => Err(error),
    }
}
