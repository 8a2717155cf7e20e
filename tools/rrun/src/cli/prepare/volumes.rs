//! `-v`, `--mount`, `--tmpfs` and the image's volumes: sources are checked, and steps make the volumes that do not exist.

use std::path::{Component, Path, PathBuf};

use kit_cli::{Failure, Result};
use kit_plan::Step;
use kit_plan::os_text::{escape, unescape};
use oci_spec::runtime::Mount;
use rmount::inroot::Make;
use rmount::overlay::Lowers;
use rmount::step::MakePlace;

use super::image::Config;
use super::usage;
use crate::cli::flags::Create;
use box_ops::spec::SpecError;
use box_ops::spec::build::mount;
use box_ops::spec::volumes::{
    Create as Missing, From, Volume, parse_mount, parse_tmpfs, parse_volume,
};
use box_ops::volume::{self, FillVolume, MakeVolume};
use box_state::{Containers, MountPoint};

/// Mounts, what `inspect` says of them, and steps.
type Volumes = (Vec<Mount>, Vec<MountPoint>, Vec<Box<dyn Step>>);

/// Refuses a volume that cannot be read.
pub(super) fn check(flags: &Create) -> Result<()> {
    given(flags).map(|_| ())
}

/// What the flags ask for.
fn given(flags: &Create) -> Result<Vec<Volume>> {
    let mut all: Vec<Volume> = Vec::new();
    for (texts, parse) in [
        (
            &flags.volume,
            parse_volume as fn(&str) -> std::result::Result<Volume, SpecError>,
        ),
        (&flags.mount, parse_mount),
        (&flags.tmpfs, parse_tmpfs),
    ] {
        for text in texts {
            all.push(parse(text).map_err(usage)?);
        }
    }
    Ok(all)
}

/// The mounts of volumes, what `inspect` says of them, and the steps that make those that are new.
pub(super) fn volumes(
    flags: &Create,
    containers: &Containers,
    config: &Config,
    id: &str,
) -> Result<Volumes> {
    let mut all = given(flags)?;
    for path in &config.volumes {
        if !all.iter().any(|volume| volume.to == Path::new(path)) {
            all.push(parse_volume(path).map_err(usage)?);
        }
    }
    let (mut mounts, mut points, mut before) = (Vec::new(), Vec::new(), Vec::new());
    for (nth, volume) in all.iter().enumerate() {
        if all[..nth].iter().any(|earlier| earlier.to == volume.to) {
            return Err(Failure::usage(format!(
                "Duplicate mount point: {}",
                volume.to.display()
            )));
        }
        let (mount, point) = one_volume(
            (nth, volume),
            containers,
            (config, id),
            (&points, &mut before),
        )?;
        mounts.push(mount);
        points.push(point);
    }
    Ok((mounts, points, before))
}

fn one_volume(
    (nth, volume): (usize, &Volume),
    containers: &Containers,
    (config, id): (&Config, &str),
    (earlier, before): (&[MountPoint], &mut Vec<Box<dyn Step>>),
) -> Result<(Mount, MountPoint)> {
    let wrong = Failure::from;
    let (kind, name, source) = match &volume.from {
        From::Memory(options) => {
            let mut all = ["nosuid", "nodev", "noexec"].map(str::to_owned).to_vec();
            all.extend(options.iter().cloned());
            let built = mount(&volume.to, "tmpfs", "tmpfs", all).map_err(usage)?;
            let point = MountPoint {
                kind: "tmpfs".into(),
                name: String::new(),
                source: PathBuf::new(),
                destination: volume.to.clone(),
                rw: !volume.readonly,
                propagation: String::new(),
            };
            return Ok((built, point));
        }
        From::Host(path) => {
            // Steps take the path's bytes; config.json, which is JSON, has them escaped.
            let path = &from_here(Path::new(&unescape(path)))?;
            let make = match volume.create {
                Missing::No => None,
                Missing::File => Some(Make::File),
                Missing::Dir => Some(Make::Dir),
            };
            match make.filter(|_| !path.exists()) {
                Some(make) => before.push(Box::new(MakePlace {
                    path: path.clone(),
                    make,
                })),
                None => volume::check_source(path).map_err(wrong)?,
            }
            volume::check_propagation(path, volume.propagation).map_err(wrong)?;
            ("bind", String::new(), PathBuf::from(escape(path)))
        }
        From::Named(_) | From::Anonymous => {
            let (name, anonymous) = match &volume.from {
                From::Named(name) => (name.clone(), false),
                _ => (volume::anonymous_name(id, nth), true),
            };
            let path = volume::data(&containers.roots, &name);
            let image = config.image.as_ref().filter(|_| !volume.nocopy);
            let make = MakeVolume {
                roots: containers.roots.clone(),
                name: name.clone(),
                id: id.to_owned(),
                nth,
                anonymous,
                layers: image
                    .map_or_else(Lowers::default, |image| Lowers::lowest_first(&image.layers)),
                to: unescape(&volume.to).into(),
            };
            let is_first = !earlier.iter().any(|point| point.source == path);
            if is_first && !path.exists() {
                before.push(Box::new(make));
            } else if image.is_some() && (!is_first || volume::is_empty(&path)) {
                before.push(Box::new(FillVolume(make)));
            }
            ("volume", name, path)
        }
    };
    let bind = if volume.recursive { "rbind" } else { "bind" };
    let mut options = [bind, volume.propagation].map(str::to_owned).to_vec();
    if volume.readonly {
        options.push("ro".to_owned());
    }
    let built = mount(&volume.to, "bind", &source, options).map_err(usage)?;
    let point = MountPoint {
        kind: kind.to_owned(),
        name,
        source,
        destination: volume.to.clone(),
        rw: !volume.readonly,
        propagation: if kind == "bind" {
            volume.propagation.to_owned()
        } else {
            String::new()
        },
    };
    Ok((built, point))
}

/// A relative path made absolute by its text alone, as docker does: `..` follows no link.
fn from_here(path: &Path) -> Result<PathBuf> {
    if path.is_absolute() {
        return Ok(path.to_owned());
    }
    let here = std::env::current_dir().map_err(|e| {
        Failure::doing(
            format!("mounting {path:?}: reading the working directory"),
            e,
        )
    })?;
    let mut whole = PathBuf::new();
    for part in here.join(path).components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            part => whole.push(part),
        }
    }
    Ok(whole)
}
