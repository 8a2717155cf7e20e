//! A container's terminal: opened inside; its master is sent to the caller over a socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use kit_plan::{Context, Done, FdId, Meta, Shell, Side, Step, StepError};
use kit_sys::calls::mount::open_tree;
use oci_spec::runtime::{BoxBuilder, Process, Spec};
use rmount::inroot;
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, OpenTreeFlags};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::error::fail;
use super::mounts::{Options, bind_tree};
use super::rootfs::{ROOT, new_filesystem};
use crate::says;

/// The name of the descriptor of the terminal's slave, for the step that becomes the program.
pub const TERMINAL: FdId = FdId::new("terminal");
/// The name of the descriptor of the child's end of the socket over which the master is sent; the caller's end is
/// [`crate::Streams::terminal_from`].
pub const TERMINAL_TO: FdId = FdId::new("terminal-to");

/// Whether config.json asks for a terminal (`process.terminal`).
#[must_use]
pub fn is_terminal(spec: &Spec) -> bool {
    spec.process().as_ref().and_then(Process::terminal) == Some(true)
}

/// Opens the slave of a terminal, with a size of rows and columns. It is opened by its master and not by a path, so that a
/// process that can change /dev/pts cannot have another file opened. See ioctl_tty(2), TIOCGPTPEER.
pub fn slave_of(master: &OwnedFd, size: Option<(u16, u16)>) -> Result<OwnedFd, Errno> {
    unlockpt(master)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = ioctl_tiocgptpeer(master, flags)?;
    if let Some((rows, columns)) = size {
        resize(&slave, rows, columns)?;
    }
    Ok(slave)
}

/// Sets a terminal's size in characters, by its master or its slave (ioctl_tty(2), TIOCSWINSZ).
pub fn resize(end: &OwnedFd, rows: u16, columns: u16) -> Result<(), Errno> {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(end, size)
}

/// The rows and columns of config.json's `process.consoleSize`.
pub fn size_of(spec: &Spec) -> Option<(u16, u16)> {
    let size = spec.process().as_ref()?.console_size()?;
    let number = |number: u64| u16::try_from(number).unwrap_or(u16::MAX);
    Some((number(size.height()), number(size.width())))
}

/// Sets config.json's `process.consoleSize` to the rows and columns of a client's terminal.
pub fn set_size(spec: &mut Spec, (rows, columns): (u16, u16)) {
    let size = BoxBuilder::default()
        .height(u64::from(rows))
        .width(u64::from(columns))
        .build();
    if let (Some(process), Ok(size)) = (spec.process_mut(), size) {
        process.set_console_size(Some(size));
    }
}

/// Opens a terminal in the container's own devpts and hands the master out.
pub struct OpenTerminal {
    pub size: Option<(u16, u16)>,
    /// /dev is a directory of the host's, in which nothing may be made.
    pub given_dev: bool,
}

impl Step for OpenTerminal {
    fn meta(&self) -> Meta {
        Meta::new(
            "terminal.open",
            says::terminal(),
            Shell::None("a shell cannot hold the other end of a terminal"),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = "opening a terminal";
        let root = cx.fd(ROOT)?;
        let master = open_master(root).map_err(fail(doing))?;
        let slave = slave_of(&master, self.size).map_err(fail(doing))?;
        if !self.given_dev {
            console(root, &master).map_err(fail("binding /dev/console"))?;
        }
        send(cx.fd(TERMINAL_TO)?, &master).map_err(fail("handing the terminal to the monitor"))?;
        cx.put_fd(TERMINAL, slave);
        cx.take_fd(TERMINAL_TO);
        Ok(Done::nothing())
    }
}

/// Opens a new terminal of the devpts below `root`; of a devpts that is mounted nowhere, if a /dev of the host's has none.
pub fn open_master(root: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::NOCTTY;
    match inroot::open(root, Path::new("/dev/pts/ptmx"), flags) {
        Err(Errno::NOENT | Errno::NOTDIR) => {
            let options = ["ptmxmode=0666", "mode=0620", "gid=5"].map(str::to_owned);
            let attrs = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
            let pts = new_filesystem("devpts", "devpts", &options, attrs)?;
            inroot::open(pts.as_fd(), Path::new("/ptmx"), flags)
        }
        other => other,
    }
}

/// Binds the slave on /dev/console.
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
///
/// # Errors
/// The errno of sendmsg(2).
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

/// Receives, without waiting, the descriptor that [`send`] sent; `None` if the other end was closed without one.
///
/// # Errors
/// EAGAIN if none has arrived; another errno of recvmsg(2).
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
