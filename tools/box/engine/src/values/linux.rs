//! Values of `linux`.

use std::ops::Range;
use std::path::Path;

use oci_spec::runtime::{
    Linux, LinuxDevice, LinuxDeviceType, LinuxIdMapping, LinuxNamespaceType, Spec,
};

use super::{Checked, resources};
use crate::resolve::NO_ID;
use crate::{EngineError, dev, mounts, namespaces};

/// Refuses such values of `linux`.
pub fn check(spec: &Spec) -> Checked {
    devices(spec)?;
    needs_both_maps(spec)?;
    let Some(linux) = spec.linux() else {
        return Ok(());
    };
    maps(linux)?;
    paths(linux)?;
    clocks(linux)?;
    linux.resources().as_ref().map_or(Ok(()), resources::check)
}

/// In a user namespace no node can be made (mknod(2)): the host's node of the same path is bound, with its mode and owner.
fn devices(spec: &Spec) -> Checked {
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.devices().as_ref());
    let has_maps = namespaces::has_other_ids(spec);
    for device in given.into_iter().flatten() {
        node(device)?;
        let owned = [
            ("fileMode", device.file_mode().is_some()),
            ("uid", device.uid().is_some()),
            ("gid", device.gid().is_some()),
        ];
        if let (true, Some((field, _))) = (has_maps, owned.into_iter().find(|(_, set)| *set)) {
            let reason = format!(
                "the host's {:?} is bound in a user namespace, and keeps its own",
                device.path()
            );
            let field = format!("linux.devices.{field}");
            return Err(EngineError::unsupported(field, reason));
        }
    }
    Ok(())
}

/// The highest numbers of a device: 12 and 20 bits (linux/kdev_t.h).
pub(super) const MAJOR: i64 = 0xfff;
pub(super) const MINOR: i64 = 0xf_ffff;

/// What mknod(2) and chown(2) would refuse without a name, or take for something else: what is above the highest
/// number is cut off.
fn node(device: &LinuxDevice) -> Checked {
    let path = device.path();
    let invalid = |field: &str, reason: String| {
        Err(EngineError::invalid(
            format!("linux.devices.{field}"),
            reason,
        ))
    };
    if !path.is_absolute() {
        return invalid("path", format!("{path:?} does not begin with a slash"));
    }
    if path.file_name().is_none() {
        return invalid("path", format!("{path:?} names no file"));
    }
    if device.typ() == LinuxDeviceType::A {
        return invalid(
            "type",
            format!("\"a\" of {path:?} is none of b, c, u and p"),
        );
    }
    for (field, number, highest) in [
        ("major", device.major(), MAJOR),
        ("minor", device.minor(), MINOR),
    ] {
        if !(0..=highest).contains(&number) {
            return invalid(
                field,
                format!("{number} of {path:?} is not between 0 and {highest}"),
            );
        }
    }
    // The bits of its own type are as good as none (stat(2), st_mode).
    let file_type = dev::kind(device).as_raw_mode();
    if let Some(mode) = device.file_mode()
        && !matches!(mode & !0o7777, bits if bits == 0 || bits == file_type)
    {
        return invalid(
            "fileMode",
            format!("{mode} of {path:?} is not between 0 and 4095, which is 07777"),
        );
    }
    for (field, id) in [("uid", device.uid()), ("gid", device.gid())] {
        if id == Some(NO_ID) {
            return invalid(
                field,
                format!("{NO_ID} of {path:?} means no change to the kernel"),
            );
        }
    }
    Ok(())
}

fn needs_both_maps(spec: &Spec) -> Checked {
    let linux = spec.linux().as_ref();
    let maps = linux.map(|linux| {
        let any = |maps: &Option<Vec<_>>| maps.iter().flatten().next().is_some();
        (any(linux.uid_mappings()), any(linux.gid_mappings()))
    });
    if namespaces::has_new(spec, LinuxNamespaceType::User) {
        let lacking = match maps {
            Some((true, false)) => "linux.gidMappings",
            Some((false, true)) => "linux.uidMappings",
            _ => return Ok(()),
        };
        let reason = "a new user namespace needs linux.uidMappings and linux.gidMappings";
        return Err(EngineError::invalid(lacking, reason));
    }
    Ok(())
}

/// What the kernel would refuse without a word of which mapping it is (user_namespaces(7)).
fn maps(linux: &Linux) -> Checked {
    for (field, maps) in [
        ("linux.uidMappings", linux.uid_mappings()),
        ("linux.gidMappings", linux.gid_mappings()),
    ] {
        let maps = maps.as_deref().unwrap_or_default();
        let invalid = |reason: String| Err(EngineError::invalid(field, reason));
        if maps.len() > MOST_MAPS {
            return invalid(format!(
                "{} entries, and the kernel takes {MOST_MAPS}",
                maps.len()
            ));
        }
        if maps.iter().any(|map| map.size() == 0) {
            return invalid("an entry has size 0".to_owned());
        }
        // The last number is no user's: to the kernel it means "no change".
        let fits = |first: u32, size: u32| first.checked_add(size).is_some();
        let long = |map: &&LinuxIdMapping| {
            !(fits(map.container_id(), map.size()) && fits(map.host_id(), map.size()))
        };
        if let Some(map) = maps.iter().find(long) {
            let (inside, outside, size) = (map.container_id(), map.host_id(), map.size());
            return invalid(format!(
                "the entry of containerID {inside}, hostID {outside} and size {size} goes beyond {}",
                NO_ID - 1
            ));
        }
        // Its mounts are made by the user that is 0 in it.
        if !maps.is_empty() && !maps.iter().any(|map| map.container_id() == 0) {
            return invalid(
                "no entry has containerID 0, which makes the container's mounts".to_owned(),
            );
        }
        let range = |first: u32, size: u32| u64::from(first)..u64::from(first) + u64::from(size);
        let meet = |a: &Range<u64>, b: &Range<u64>| a.start < b.end && b.start < a.end;
        for (at, map) in maps.iter().enumerate() {
            for other in &maps[..at] {
                let of = |map: &LinuxIdMapping| {
                    let (inside, outside) = (map.container_id(), map.host_id());
                    (range(inside, map.size()), range(outside, map.size()))
                };
                let ((inside, outside), (inside_2, outside_2)) = (of(map), of(other));
                if meet(&inside, &inside_2) || meet(&outside, &outside_2) {
                    let (one, two) = (other.container_id(), map.container_id());
                    return invalid(format!(
                        "the entries of containerID {one} and {two} overlap"
                    ));
                }
            }
        }
    }
    Ok(())
}

/// UID_GID_MAP_MAX_EXTENTS of linux/user_namespace.h.
const MOST_MAPS: usize = 340;

fn paths(linux: &Linux) -> Checked {
    for (field, paths) in [
        ("linux.maskedPaths", linux.masked_paths()),
        ("linux.readonlyPaths", linux.readonly_paths()),
    ] {
        if let Some(path) = paths.iter().flatten().find(|path| !path.starts_with('/')) {
            let reason = format!("{path:?} does not begin with a slash");
            return Err(EngineError::invalid(field, reason));
        }
        let mut paths = paths.iter().flatten();
        if let Some(path) = paths.find(|path| mounts::is_root(Path::new(path))) {
            let reason = format!("{path:?} is the root itself");
            return Err(EngineError::invalid(field, reason));
        }
    }
    Ok(())
}

/// `KTIME_SEC_MAX` of linux/ktime.h, halved: a clock of a time namespace may not be beyond it (kernel/time/namespace.c).
const MOST_SECONDS: i64 = i64::MAX / 1_000_000_000 / 2;

/// What /proc/PID/timens_offsets would refuse without a name (time_namespaces(7)).
fn clocks(linux: &Linux) -> Checked {
    let mut offsets: Vec<_> = linux.time_offsets().iter().flatten().collect();
    offsets.sort_by_key(|(clock, _)| *clock);
    for (clock, offset) in offsets {
        let invalid = |below: &str, reason: String| {
            let field = format!("linux.timeOffsets.{clock}{below}");
            Err(EngineError::invalid(field, reason))
        };
        if !matches!(clock.as_str(), "monotonic" | "boottime") {
            return invalid("", "it is neither monotonic nor boottime".to_owned());
        }
        let (secs, nanos) = (offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
        if !(-MOST_SECONDS..=MOST_SECONDS).contains(&secs) {
            let reason = format!("{secs} is not between -{MOST_SECONDS} and {MOST_SECONDS}");
            return invalid(".secs", reason);
        }
        if nanos > 999_999_999 {
            return invalid(
                ".nanosecs",
                format!("{nanos} is not between 0 and 999999999"),
            );
        }
    }
    Ok(())
}
