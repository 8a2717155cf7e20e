//! The verbs that read an image from somewhere: load, import, unpack.

use kit_cli::{Act, Result, emit, need_root};
use kit_plan::Roots;
use oci_spec::image::Descriptor;

use super::progress::Bar;
use super::{reference, run};
use crate::import::Import;
use crate::source::LoadOptions;
use crate::unpack::Unpack;
use crate::{Source, Store};

pub(super) fn load(
    act: Act,
    roots: &Roots,
    text: &str,
    name: Option<&str>,
    platform: Option<String>,
) -> Result {
    const DOING: &str = "loading an image";
    let source = Source::parse(text, true)?;
    let name = name.map(reference).transpose()?;
    if !act.dry_run {
        // Before a stream is read that cannot be read again.
        need_root(DOING)?;
    }
    let bar = Bar::new(act, "loading");
    let options = LoadOptions {
        name,
        platform,
        progress: bar.progress(),
    };
    let loading = crate::load::plan(&roots.root, text, &source, &options)?;
    bar.expect(loading.bytes);
    run(act, roots, &loading.plan, DOING)?;
    drop(bar);
    if act.dry_run {
        return Ok(0);
    }
    let mut said: Vec<String> = Vec::new();
    for loaded in &loading.images {
        if loaded.names.is_empty() {
            said.push(format!("Loaded image ID: {}\n", loaded.id));
        }
        let names = loaded.names.iter();
        said.extend(names.map(|name| format!("Loaded image: {name}\n")));
    }
    emit(&said.concat())?;
    Ok(0)
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
        emit(&format!("{lowerdir}\n"))?;
    }
    Ok(0)
}
