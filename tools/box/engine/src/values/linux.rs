//! Values of `linux`.

use std::ops::Range;

use oci_spec::runtime::{
    Linux, LinuxBlockIo, LinuxDevice, LinuxDeviceType, LinuxIdMapping, LinuxNamespaceType,
    LinuxWeightDevice, Spec,
};

use super::Checked;
use crate::resolve::NO_ID;
use crate::{EngineError, dev, namespaces};

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
    let resources = linux.resources().as_ref();
    resources
        .and_then(|resources| resources.block_io().as_ref())
        .map_or(Ok(()), weights)
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

/// What mknod(2) and chown(2) would refuse without a name, or take for something else: a device number has 12 bits for the major
/// number and 20 for the minor one (linux/kdev_t.h), and what is above is cut off.
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
    if device.typ() == LinuxDeviceType::A {
        return invalid(
            "type",
            format!("\"a\" of {path:?} is none of b, c, u and p"),
        );
    }
    for (field, number, highest) in [
        ("major", device.major(), 0xfff),
        ("minor", device.minor(), 0xf_ffff),
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

/// The range of the specification (config-linux.md, "Block IO"). 0 for the whole group is no weight, as with runc.
fn weights(io: &LinuxBlockIo) -> Checked {
    let of_device = |device: &LinuxWeightDevice| (".weightDevice", device.weight());
    let all = [("", io.weight().filter(|weight| *weight != 0))];
    let devices = io.weight_device().iter().flatten().map(of_device);
    for (inner, weight) in all.into_iter().chain(devices) {
        if let Some(weight) = weight.filter(|weight| !(10..=1000).contains(weight)) {
            let field = format!("linux.resources.blockIO{inner}.weight");
            let reason = format!("{weight} is not between 10 and 1000");
            return Err(EngineError::invalid(field, reason));
        }
    }
    Ok(())
}
