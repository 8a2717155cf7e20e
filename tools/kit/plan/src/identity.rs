//! What makes a thing that thing, and not another of the same name made later.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, StatxFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use serde::{Deserialize, Serialize};

/// A file: device and inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileId {
    /// The file system's device number.
    pub dev: u64,
    /// The inode's number in it.
    pub ino: u64,
}

impl FileId {
    /// Of `path` itself, a final symlink not followed.
    pub fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::symlink_metadata(path)?;
        Ok(Self {
            dev: meta.dev(),
            ino: meta.ino(),
        })
    }

    /// Of the network namespace that the file `netns` stands for; `None` is the calling thread's own.
    pub fn of_netns(netns: Option<&Path>) -> io::Result<Self> {
        let meta = std::fs::metadata(netns.unwrap_or(Path::new("/proc/thread-self/ns/net")))?;
        Ok(Self {
            dev: meta.dev(),
            ino: meta.ino(),
        })
    }

    /// Of an open file.
    pub fn of_fd(fd: impl AsFd) -> io::Result<Self> {
        let stat = rustix::fs::fstat(fd)?;
        Ok(Self {
            dev: stat.st_dev,
            ino: stat.st_ino,
        })
    }
}

/// A network namespace. The inode number of one that is gone is the next one's at once; a cookie is never used again
/// before the next boot, but kernels before 5.14 have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetnsId {
    /// The device number of nsfs.
    pub dev: u64,
    /// The namespace's number in it.
    pub ino: u64,
    /// `SO_NETNS_COOKIE`; `None` where the kernel has none.
    #[serde(default)]
    pub cookie: Option<u64>,
}

impl NetnsId {
    /// Of the one that `socket` was opened in, for which the file `netns` stands; `None` is the calling thread's own.
    pub fn of_socket(socket: impl AsFd, netns: Option<&Path>) -> io::Result<Self> {
        let FileId { dev, ino } = FileId::of_netns(netns)?;
        let cookie = kit_sys::socket::netns_cookie(socket.as_fd()).ok();
        Ok(Self { dev, ino, cookie })
    }

    /// Of the calling thread's own.
    pub fn own() -> io::Result<Self> {
        let (family, kind) = (AddressFamily::UNIX, SocketType::DGRAM);
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        Self::of_socket(socket, None)
    }

    /// Whether both are the same namespace.
    pub fn is(&self, other: &Self) -> bool {
        let cookies = self.cookie.zip(other.cookie);
        self.is_file(FileId {
            dev: other.dev,
            ino: other.ino,
        }) && cookies.is_none_or(|(ours, theirs)| ours == theirs)
    }

    /// Whether a file that stands for a namespace may be this one's.
    pub fn is_file(&self, file: FileId) -> bool {
        (self.dev, self.ino) == (file.dev, file.ino)
    }
}

/// A mount: its mount ID and the file at its root. On Linux 6.8 and later the ID is unique. Before that it is
/// used again, and so are the numbers of a tmpfs's root: there only the root's birth tells two apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountId {
    /// The mount's unique ID.
    pub mount: u64,
    /// What is at its root.
    pub root: FileId,
    /// Seconds and nanoseconds, where the filesystem knows.
    #[serde(default)]
    pub born: Option<(i64, u32)>,
}

/// statx(2): the mount ID that is never used again, in place of the other. Older kernels pass it over.
const MNT_ID_UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);

impl MountId {
    /// Of the topmost mount at `path`.
    pub fn of(path: &Path) -> io::Result<Self> {
        let stat = rustix::fs::statx(
            rustix::fs::CWD,
            path,
            AtFlags::NO_AUTOMOUNT,
            StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::MNT_ID | MNT_ID_UNIQUE,
        )?;
        let knows_birth = stat.stx_mask & StatxFlags::BTIME.bits() != 0;
        let born = (stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec);
        let dev = rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor);
        Ok(Self {
            mount: stat.stx_mnt_id,
            root: FileId {
                dev,
                ino: stat.stx_ino,
            },
            born: knows_birth.then_some(born),
        })
    }
}

/// A process: PID and start time in clock ticks since the boot that `boot` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its number, which another process may have later.
    pub pid: i32,
    /// When it started, in clock ticks since boot.
    pub start: u64,
    /// The boot's ID.
    pub boot: String,
}

impl ProcessId {
    /// Of a living process that is not a zombie.
    pub fn of(pid: i32) -> io::Result<Self> {
        let start = kit_sys::process::start_time(pid)
            .ok_or_else(|| io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()))?;
        Ok(Self {
            pid,
            start,
            boot: kit_sys::process::boot_id()?,
        })
    }

    /// Of this process.
    pub fn of_self() -> io::Result<Self> {
        Self::of(std::process::id() as i32)
    }

    /// Whether that very process still runs; a zombie does not.
    pub fn is_alive(&self) -> bool {
        kit_sys::process::start_time(self.pid) == Some(self.start)
            && kit_sys::process::boot_id().is_ok_and(|boot| boot == self.boot)
    }
}
