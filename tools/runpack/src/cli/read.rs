//! The verbs that read an image from somewhere: load, import, unpack.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;

use kit_cli::{Act, Failure, Result, emit, emit_bytes, need_root};
use kit_plan::Roots;
use oci_spec::image::Descriptor;

use super::progress::Bar;
use super::{reference, run};
use crate::import::Import;
use crate::source::LoadOptions;
use crate::unpack::Unpack;
use crate::{ImageId, Source, Store};

/// What to load, as it was typed.
pub(super) struct Load {
    /// `None`: standard input, as docker's.
    pub source: Option<OsString>,
    pub name: Option<String>,
    pub platform: Option<String>,
    pub quiet: bool,
}

pub(super) fn load(act: Act, roots: &Roots, load: Load) -> Result {
    const DOING: &str = "loading an image";
    let text = match load.source {
        Some(text) => text,
        None if std::io::stdin().is_terminal() => {
            let text = "loading an image: no file is named, and standard input is a terminal";
            return Err(Failure::usage(text).hint("runpack load FILE, or < FILE"));
        }
        None => "-".into(),
    };
    let source = Source::parse(&text, true)?;
    let name = load.name.as_deref().map(reference).transpose()?;
    if !act.dry_run {
        // Before a stream is read that cannot be read again.
        need_root(DOING)?;
    }
    let bar = if load.quiet {
        Bar::none()
    } else {
        Bar::new(act, "loading")
    };
    let options = LoadOptions {
        name,
        platform: load.platform,
        progress: bar.progress(),
    };
    let loading = crate::load::plan(&roots.root, &text, &source, &options)?;
    bar.expect(loading.bytes);
    run(act, roots, &loading.plan, DOING)?;
    drop(bar);
    if act.dry_run {
        return Ok(0);
    }
    for loaded in &loading.images {
        for name in &loaded.names {
            emit(&format!("Loaded image: {name}\n"))?;
        }
        if loaded.names.is_empty() {
            emit(&format!("Loaded image ID: {}\n", loaded.id))?;
            say_nameless(&Store::open(&roots.root), &loaded.id);
        }
    }
    Ok(0)
}

/// An image that the archive had no name for, and that had none before.
fn say_nameless(store: &Store, id: &ImageId) {
    let named = store.resolve(id.as_ref());
    if named.is_ok_and(|image| image.names.is_empty()) {
        let short = crate::images::short(id);
        let failure = Failure::new("loading an image: the archive has no name for it");
        kit_cli::warn(failure.hint(format!("runpack tag {short} NAME gives it one")));
    }
}

pub(super) fn import(act: Act, roots: &Roots, mut import: Import) -> Result {
    const DOING: &str = "importing an image";
    if !act.dry_run {
        need_root(DOING)?;
    }
    let bar = Bar::new(act, "importing");
    import.progress = bar.progress();
    let (plan, outcome) = crate::import::plan(&roots.root, &import)?;
    run(act, roots, &plan, DOING)?;
    drop(bar);
    for id in outcome.borrow().iter() {
        emit(&format!("{id}\n"))?;
    }
    Ok(0)
}

pub(super) fn unpack(act: Act, roots: &Roots, mut unpack: Unpack) -> Result {
    let bar = Bar::new(act, "unpacking");
    if let Source::Store(name) = &unpack.source {
        let image = Store::open(&roots.root).resolve(name)?;
        bar.expect(image.manifest.layers().iter().map(Descriptor::size).sum());
    }
    unpack.progress = bar.progress();
    let (plan, outcome) = crate::unpack::plan(&roots.root, unpack)?;
    run(act, roots, &plan, "unpacking an image")?;
    drop(bar);
    if let Some(lowerdir) = outcome.borrow().as_ref() {
        emit_bytes(&[lowerdir.as_bytes(), b"\n"].concat())?;
    }
    Ok(0)
}
