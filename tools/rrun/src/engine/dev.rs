//! /dev: the few devices that every program expects, the usual links, and a terminal. Child-side.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Shell, Side, Step, StepError, run};
use rmount::inroot;
use rustix::fs::{CWD, FileType, Mode, OFlags, makedev, mknodat, symlinkat};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};

use super::error::fail;
use super::mounts::{Options, bind_tree};
use super::rootfs::ROOT;

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

/// Makes the nodes and links.
pub struct MakeDevices {
    pub more: Vec<Device>,
    pub at: PathBuf,
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
            let path = self
                .at
                .join(device.path.strip_prefix("/").unwrap_or(&device.path));
            let kind = if device.kind == FileType::BlockDevice {
                "b"
            } else {
                "c"
            };
            let mode = format!("{:o}", device.mode);
            run![
                "mknod",
                "-m",
                mode,
                path,
                kind,
                device.major.to_string(),
                device.minor.to_string()
            ]
        });
        let lines = nodes.chain(links).chain(more).collect();
        let why = "null, zero, random and a terminal; no disk and no memory of the host's";
        Meta::new("dev.nodes", why, Shell::Exact(lines))
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
            make_device(root, device).map_err(fail(format!("making device {:?}", device.path)))?;
        }
        rustix::process::umask(Mode::from_raw_mode(0o022));
        Ok(Done::nothing())
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

fn make_device(root: BorrowedFd<'_>, device: &Device) -> Result<(), Errno> {
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
    rustix::fs::chownat(&parent, name, Some(uid), Some(gid), flags)
}

/// Where the slave of the container's terminal is kept, for the step that becomes the program.
pub const TERMINAL: &str = "terminal";
/// A socket to hand the master to the monitor by.
pub const TERMINAL_TO: &str = "terminal-to";

/// Opens a terminal in the container's own devpts and hands the master out.
pub struct OpenTerminal {
    pub size: Option<(u16, u16)>,
}

impl Step for OpenTerminal {
    fn meta(&self) -> Meta {
        let why = "a terminal in the container's own devpts, its other end with the monitor";
        Meta::new(
            "terminal.open",
            why,
            Shell::None("a shell cannot hold the other end of a terminal"),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = "opening a terminal";
        let root = cx.fd(ROOT)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let master = inroot::open(root, Path::new("/dev/pts/ptmx"), flags).map_err(fail(doing))?;
        unlockpt(&master).map_err(fail(doing))?;
        let peer = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let slave = ioctl_tiocgptpeer(&master, peer).map_err(fail(doing))?;
        if let Some((rows, columns)) = self.size {
            let size = rustix::termios::Winsize {
                ws_row: rows,
                ws_col: columns,
                ws_xpixel: 0,
                ws_ypixel: 0,
            };
            rustix::termios::tcsetwinsize(&slave, size).map_err(fail(doing))?;
        }
        console(root, &master).map_err(fail("binding /dev/console"))?;
        send(cx.fd(TERMINAL_TO)?, &master).map_err(fail("handing the terminal to the monitor"))?;
        cx.put_fd(TERMINAL, slave);
        cx.take_fd(TERMINAL_TO);
        Ok(Done::nothing())
    }
}

/// The slave, once more, under the name /dev/console.
fn console(root: BorrowedFd<'_>, master: &OwnedFd) -> Result<(), Errno> {
    let name = rustix::pty::ptsname(master, Vec::new())?;
    let path = name.to_str().map_err(|_| Errno::INVAL)?;
    let slave = inroot::find(root, Path::new(path))?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    let tree = open_tree(&slave, "", flags)?;
    bind_tree(root, &tree, Path::new("/dev/console"), &Options::default())
}

/// Sends one descriptor over a Unix socket (unix(7), `SCM_RIGHTS`).
pub fn send(socket: BorrowedFd<'_>, fd: &OwnedFd) -> Result<(), Errno> {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let fds = [fd.as_fd()];
    if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
        return Err(Errno::NOBUFS);
    }
    sendmsg(
        socket,
        &[std::io::IoSlice::new(b"t")],
        &mut control,
        SendFlags::empty(),
    )
    .map(drop)
}

/// Receives what [`send`] sent; `None` if nothing was.
pub fn receive(socket: BorrowedFd<'_>) -> Result<Option<OwnedFd>, Errno> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0u8; 1];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    recvmsg(
        socket,
        &mut [std::io::IoSliceMut::new(&mut byte)],
        &mut control,
        flags,
    )?;
    let mut fds = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    Ok(fds.next())
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
