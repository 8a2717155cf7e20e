//! `runpack save`: images as one archive that is an OCI layout and a `docker save` at once, so that everybody reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use kit_plan::{
    Context, Done, Line, Meta, Plan, Shell, Slots, Step, StepError, Undo, Value, words,
};
use serde_json::json;
use tar::{Builder, EntryType, Header};

use crate::interrupt::{Checked, Patient};
use crate::load::store_error;
use crate::publish::Publish;
use crate::regular;
use crate::says;
use crate::{Image, Reference, Store, StoreError};

const BUFFER: usize = 256 * 1024;
const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

/// Looks the images up at once.
pub fn plan(root: &Path, file: &Path, images: &[String]) -> Result<Plan, StoreError> {
    let store = Store::open(root);
    for image in images {
        store.resolve(image)?;
    }
    let mut plan = Plan::new(format!("runpack save -o {}", file.display()));
    // A device or a pipe is written to; a rename would put a file in its place.
    let in_place = file.metadata().is_ok_and(|meta| !meta.is_file());
    let written = if in_place {
        file.to_owned()
    } else {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        file.with_file_name(format!(".{name}.runpack-{}", std::process::id()))
    };
    plan.push(Save {
        root: root.to_owned(),
        file: written.clone(),
        named: file.to_owned(),
        images: images.to_vec(),
        in_place,
    });
    if !in_place {
        plan.push(Publish {
            from: written,
            to: file.to_owned(),
            in_parts: true,
        });
    }
    Ok(plan)
}

/// Writes the archive. An image asked for by a name has that name in it; by ID, all its names.
pub fn save(store: &Store, images: &[String], out: impl Write) -> Result<(), StoreError> {
    let mut found: Vec<(Image, Vec<Reference>)> = Vec::new();
    for wanted in images {
        let image = store.resolve(wanted)?;
        let asked = Reference::parse(wanted)
            .ok()
            .filter(|name| image.names.contains(name));
        let names = asked.map_or_else(|| image.names.clone(), |name| vec![name]);
        match found.iter_mut().find(|(known, _)| known.id == image.id) {
            Some((_, known)) => {
                for name in names {
                    if !known.contains(&name) {
                        known.push(name);
                    }
                }
            }
            None => found.push((image, names)),
        }
    }
    let failed = || StoreError::io("write", Path::new("archive"));
    let mut tar = Builder::new(BufWriter::with_capacity(BUFFER, out));
    let mut blobs = BTreeSet::new();
    for (image, _) in &found {
        blobs.insert(store.blob_path(image.descriptor.digest()));
        blobs.insert(store.blob_path(&image.id));
        blobs.extend(
            image
                .manifest
                .layers()
                .iter()
                .map(|l| store.blob_path(l.digest())),
        );
    }
    for path in &blobs {
        let file = regular::open(path).map_err(StoreError::io("open", path))?;
        let size = file
            .metadata()
            .map_err(StoreError::io("look at", path))?
            .len();
        let name = path.file_name().unwrap_or_default();
        let name = Path::new("blobs/sha256").join(name);
        append(&mut tar, &name, size, Checked::new(file)).map_err(failed())?;
    }
    let texts: [(&str, Vec<u8>); 3] = [
        ("oci-layout", LAYOUT.to_vec()),
        ("index.json", index(&found).to_string().into_bytes()),
        ("manifest.json", saved(&found).to_string().into_bytes()),
    ];
    for (name, bytes) in texts {
        append(&mut tar, Path::new(name), bytes.len() as u64, &bytes[..]).map_err(failed())?;
    }
    let written = tar.into_inner().and_then(|mut out| out.flush());
    written.map_err(failed())
}

fn append(
    tar: &mut Builder<impl Write>,
    name: &Path,
    size: u64,
    data: impl io::Read,
) -> io::Result<()> {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(0);
    tar.append_data(&mut header, name, data)
}

fn index(images: &[(Image, Vec<Reference>)]) -> serde_json::Value {
    let mut manifests = Vec::new();
    for (image, names) in images {
        let mut entry = |notes: BTreeMap<&str, String>| {
            manifests.push(json!({
                "mediaType": image.descriptor.media_type().to_string(),
                "digest": image.descriptor.digest().to_string(),
                "size": image.descriptor.size(),
                "annotations": notes,
            }));
        };
        for name in names {
            entry(BTreeMap::from([
                ("org.opencontainers.image.ref.name", name.to_string()),
                ("io.containerd.image.name", name.to_string()),
            ]));
        }
        if names.is_empty() {
            entry(BTreeMap::new());
        }
    }
    json!({ "schemaVersion": 2, "manifests": manifests })
}

fn saved(images: &[(Image, Vec<Reference>)]) -> serde_json::Value {
    let blob = |digest: &oci_spec::image::Digest| format!("blobs/sha256/{}", digest.digest());
    let each = images.iter().map(|(image, names)| {
        let layers = image.manifest.layers().iter();
        json!({
            "Config": blob(&image.id),
            "RepoTags": names.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "Layers": layers.map(|layer| blob(layer.digest())).collect::<Vec<_>>(),
        })
    });
    each.collect()
}

struct Save {
    root: PathBuf,
    file: PathBuf,
    /// The archive's name, which the file gets when it is whole.
    named: PathBuf,
    images: Vec<String>,
    /// The file is there, and is more than a file.
    in_place: bool,
}

impl Save {
    fn open(&self) -> io::Result<Box<dyn Write>> {
        let is_pipe = self.in_place && self.file.metadata()?.file_type().is_fifo();
        if is_pipe {
            return Ok(Box::new(Patient::create(&self.file)?));
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(!self.in_place);
        Ok(Box::new(options.open(&self.file)?))
    }
}

impl Step for Save {
    fn meta(&self) -> Meta {
        let mut line: Vec<Value> = words!["runpack", "save", "-o", &self.file, "--"];
        line.extend(self.images.iter().map(Value::from));
        Meta::new(
            "image.save",
            says::save(),
            Shell::Ours(vec![Line::Run(line)]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        if self.in_place {
            return Vec::new();
        }
        vec![Undo::unlink(absolute(&self.file))]
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let out = self.open().map_err(StoreError::io("create", &self.named));
        let saved = out.and_then(|out| save(&Store::open(&self.root), &self.images, out));
        saved.map_err(store_error)?;
        if self.in_place {
            return Ok(Done::nothing());
        }
        let made = Undo::unlink(absolute(&self.file)).identified();
        Ok(Done::made(vec![made]))
    }
}

/// A journal is read by somebody who is elsewhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
