//! `-v`, `--mount`, `--tmpfs` and the image's own: volumes are made, sources looked at.

use std::path::PathBuf;

use kit_cli::{Failure, Result};
use oci_spec::runtime::Mount;

use super::image::Config;
use super::usage;
use crate::cli::flags::Create;
use crate::spec::SpecError;
use crate::spec::build::mount;
use crate::spec::volumes::{
    Create as Missing, From, Volume, parse_mount, parse_tmpfs, parse_volume,
};
use crate::state::{Containers, MountPoint};
use crate::volume;

/// The mounts of volumes, and what `inspect` says of them.
pub(super) fn volumes(
    flags: &Create,
    containers: &Containers,
    config: &Config,
    id: &str,
) -> Result<(Vec<Mount>, Vec<MountPoint>)> {
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
    for path in &config.volumes {
        if !all
            .iter()
            .any(|volume| volume.to == std::path::Path::new(path))
        {
            all.push(parse_volume(path).map_err(usage)?);
        }
    }
    let (mut mounts, mut points) = (Vec::new(), Vec::new());
    for (nth, volume) in all.iter().enumerate() {
        if all[..nth].iter().any(|earlier| earlier.to == volume.to) {
            return Err(
                Failure::usage(format!("Duplicate mount point: {}", volume.to.display()))
                    .exit(125)
                    .into(),
            );
        }
        let (mount, point) = one_volume(
            volume,
            containers,
            config,
            &format!("{}{nth:02}", &id[..62]),
            flags.act.dry_run,
        )?;
        mounts.push(mount);
        points.push(point);
    }
    Ok((mounts, points))
}

fn one_volume(
    volume: &Volume,
    containers: &Containers,
    config: &Config,
    anonymous: &str,
    dry_run: bool,
) -> Result<(Mount, MountPoint)> {
    let wrong = |e: volume::VolumeError| {
        let hint = e.hint();
        Failure::new(e).hint_from(hint.as_deref()).exit(125)
    };
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
            };
            return Ok((built, point));
        }
        From::Host(path) => {
            if volume.create != Missing::No && !path.exists() && !dry_run {
                make(path, volume.create)?;
            }
            volume::check_source(path).map_err(wrong)?;
            ("bind", String::new(), path.clone())
        }
        From::Named(_) | From::Anonymous => {
            let name = if let From::Named(name) = &volume.from {
                name.clone()
            } else {
                anonymous.to_owned()
            };
            let path = volume::data(&containers.roots, &name);
            if !dry_run {
                let (path, is_new) = volume::ensure(&containers.roots, &name).map_err(wrong)?;
                if let (true, Some(image)) = (is_new, &config.image) {
                    volume::copy_up(&image.layers, &volume.to, &path).map_err(wrong)?;
                }
            }
            ("volume", name, path)
        }
    };
    let mut options = ["rbind", "rprivate"].map(str::to_owned).to_vec();
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
    };
    Ok((built, point))
}

fn make(path: &std::path::Path, what: Missing) -> Result<()> {
    let made = match what {
        Missing::File => std::fs::File::create_new(path).map(drop),
        _ => std::fs::create_dir_all(path),
    };
    made.map_err(|e| {
        Failure::new(format!("making {path:?}: {e}"))
            .exit(125)
            .into()
    })
}
