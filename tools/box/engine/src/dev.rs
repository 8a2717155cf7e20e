//! /dev: the few devices that every program expects, the usual links. Child-side.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Shell, Side, Step, StepError, run, words};
use kit_sys::calls::fs::{mknodat, symlinkat};
use kit_sys::calls::mount::open_tree;
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Spec};
use rmount::inroot;
use rustix::fs::{CWD, FileType, Mode, OFlags, makedev};
use rustix::io::Errno;
use rustix::mount::OpenTreeFlags;

use super::error::fail;
use super::mounts::{Options, bind_tree, in_root_dir, is_bind};
use super::rootfs::ROOT;
use crate::{EngineError, says};

/// OCI runtime specification, "Default Devices": name, major, minor.
const DEVICES: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
    ("/proc/kcore", "core"),
];

/// One more device, of `--device` or config.json.
#[derive(Debug, Clone)]
pub struct Device {
    pub path: PathBuf,
    pub kind: FileType,
    pub major: u32,
    pub minor: u32,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
}

/// Makes node `$1` of mode `$2` and owner `$3` in directory `$7`; a FIFO has no numbers.
const MAKE_NODE: &str = r#"mknod -m "$2" "$7/$1" "$4" $5 $6; chown -h "$3" "$7/$1""#;

/// Makes the nodes and links.
pub struct MakeDevices {
    pub more: Vec<Device>,
    pub at: PathBuf,
    /// In a user namespace nobody may make nodes (mknod(2)): the host's are bound.
    pub bound: bool,
}

impl Step for MakeDevices {
    fn meta(&self) -> Meta {
        let dev = self.at.join("dev");
        let nodes = DEVICES.iter().map(|(name, major, minor)| {
            run![
                "mknod",
                "-m",
                "666",
                dev.join(name),
                "c",
                major.to_string(),
                minor.to_string()
            ]
        });
        let links = LINKS
            .iter()
            .map(|(to, name)| run!["ln", "-s", *to, dev.join(name)]);
        let more = self.more.iter().map(|device| {
            let (major, minor) = (device.major.to_string(), device.minor.to_string());
            let (kind, major, minor) = match device.kind {
                FileType::Fifo => ("p", String::new(), String::new()),
                FileType::BlockDevice => ("b", major, minor),
                _ => ("c", major, minor),
            };
            let mode = format!("{:o}", device.mode);
            let owner = format!("{}:{}", device.uid, device.gid);
            let name = device.path.file_name().unwrap_or_default();
            let mut make = words!["sh", "-ec", MAKE_NODE, "sh", name, mode, owner];
            make.extend(words![kind, major, minor]);
            in_root_dir(&self.at, make, device.path.parent().unwrap_or(&device.path))
        });
        let lines = nodes.chain(links).chain(more).collect();
        Meta::new("dev.nodes", says::nodes(), Shell::Exact(lines))
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let root = cx.fd(ROOT)?;
        let dev = inroot::make_dir(root, Path::new("/dev")).map_err(fail("opening /dev"))?;
        // mknod(2) takes the umask into account, and 0666 is meant.
        rustix::process::umask(Mode::empty());
        for (name, major, minor) in DEVICES {
            if self.bound {
                let device = Device::standard(name, major, minor);
                bind_node(root, &device)
                    .map_err(fail(format!("binding the host's {:?}", device.path)))?;
                continue;
            }
            let made = mknodat(
                &dev,
                name,
                FileType::CharacterDevice,
                Mode::from_raw_mode(0o666),
                makedev(major, minor),
            );
            present(made).map_err(fail(format!("making device /dev/{name}")))?;
        }
        for (to, name) in LINKS {
            present(symlinkat(to, &dev, name)).map_err(fail(format!("making link /dev/{name}")))?;
        }
        for device in &self.more {
            if self.bound {
                bind_node(root, device)
                    .map_err(fail(format!("binding the host's {:?}", device.path)))?;
                continue;
            }
            make_device(root, device).map_err(fail(format!("making device {:?}", device.path)))?;
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
        Ok(Done::nothing())
    }
}

fn bind_node(root: BorrowedFd<'_>, device: &Device) -> Result<(), NodeError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, &device.path, flags)?;
    device.check(&rustix::fs::fstat(&tree)?)?;
    Ok(bind_tree(root, &tree, &device.path, &Options::default())?)
}

/// Why a node of `linux.devices` is not there.
#[derive(Debug, thiserror::Error)]
enum NodeError {
    #[error(transparent)]
    Kernel(#[from] Errno),
    #[error("there is another file: {0}")]
    Other(String),
}

impl Device {
    fn standard(name: &str, major: u32, minor: u32) -> Self {
        Self {
            path: Path::new("/dev").join(name),
            kind: FileType::CharacterDevice,
            major,
            minor,
            mode: 0o666,
            uid: 0,
            gid: 0,
        }
    }

    /// Whether the file that is there already is this device.
    fn check(&self, stat: &rustix::fs::Stat) -> Result<(), NodeError> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind != self.kind {
            return Err(NodeError::Other(format!("its type is {kind:?}")));
        }
        let (major, minor) = (
            rustix::fs::major(stat.st_rdev),
            rustix::fs::minor(stat.st_rdev),
        );
        if kind != FileType::Fifo && (major, minor) != (self.major, self.minor) {
            return Err(NodeError::Other(format!("its number is {major}:{minor}")));
        }
        Ok(())
    }
}

/// A root directory given as it is may have them already.
fn present(made: Result<(), Errno>) -> Result<(), Errno> {
    if made == Err(Errno::EXIST) {
        Ok(())
    } else {
        made
    }
}

fn make_device(root: BorrowedFd<'_>, device: &Device) -> Result<(), NodeError> {
    let parent = inroot::make_dir(root, device.path.parent().unwrap_or(Path::new("/")))?;
    let name = device.path.file_name().ok_or(Errno::INVAL)?;
    let mode = Mode::from_raw_mode(device.mode);
    present(mknodat(
        &parent,
        name,
        device.kind,
        mode,
        makedev(device.major, device.minor),
    ))?;
    let (uid, gid) = (
        rustix::fs::Uid::from_raw(device.uid),
        rustix::fs::Gid::from_raw(device.gid),
    );
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    device.check(&rustix::fs::statat(&parent, name, flags)?)?;
    Ok(rustix::fs::chownat(
        &parent,
        name,
        Some(uid),
        Some(gid),
        flags,
    )?)
}

/// The host's /dev/null, by descriptor, its numbers checked: a root whose /dev/null is something else must not
/// have that something bound over its secrets.
pub fn host_null() -> Result<OwnedFd, StepError> {
    let doing = "opening the host's /dev/null";
    let null = rustix::fs::openat(
        CWD,
        "/dev/null",
        OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    );
    let null = null.map_err(fail(doing))?;
    let stat = rustix::fs::fstat(&null).map_err(fail(doing))?;
    let is_null = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice
        && stat.st_rdev == makedev(1, 3);
    if is_null {
        Ok(null)
    } else {
        Err(StepError::new(doing, "it is not the null device"))
    }
}

/// The type of file that a node of `linux.devices` is.
pub fn kind(device: &LinuxDevice) -> FileType {
    match device.typ() {
        LinuxDeviceType::B => FileType::BlockDevice,
        LinuxDeviceType::P => FileType::Fifo,
        _ => FileType::CharacterDevice,
    }
}

/// The nodes of `linux.devices`.
pub fn nodes(spec: &Spec) -> Result<Vec<Device>, EngineError> {
    let number = |device: &LinuxDevice, number: i64| {
        u32::try_from(number).map_err(|_| {
            let reason = format!("{number} is no number of {:?}", device.path());
            EngineError::invalid("linux.devices", reason)
        })
    };
    let node = |device: &LinuxDevice| {
        Ok(Device {
            path: device.path().clone(),
            kind: kind(device),
            major: number(device, device.major())?,
            minor: number(device, device.minor())?,
            mode: device.file_mode().unwrap_or(0o666),
            uid: device.uid().unwrap_or(0),
            gid: device.gid().unwrap_or(0),
        })
    };
    let linux = spec.linux().as_ref();
    let given = linux.and_then(|linux| linux.devices().as_ref());
    given.into_iter().flatten().map(node).collect()
}

/// Whether /dev is a directory of the host's, which is taken as it is: a node made in it would stay there. As runc's.
pub fn is_given(spec: &Spec) -> bool {
    let mut mounts = spec.mounts().iter().flatten();
    mounts.any(|mount| mount.destination() == "/dev" && is_bind(mount))
}
