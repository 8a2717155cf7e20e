//! `rnetns add`: a new namespace under a name, with its loopback up.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kit_home::lock::{self, Hold};
use kit_net::Netlink;
use kit_plan::{
    Context, Done, Meta, MountId, Plan, Shell, Slots, Step, StepError, Undo, quote, run,
};
use kit_sys::calls::mount::{mount_bind, mount_bind_recursive, mount_change};
use kit_sys::calls::thread::move_into_link_name_space;
use rustix::io::Errno;
use rustix::mount::MountPropagationFlags;
use rustix::thread::{LinkNameSpaceType, UnshareFlags};

use crate::name::check_name;
use crate::says;
use crate::{NetnsError, RUN_NETNS};

/// What `add` does: the directory is shared, the file made, the namespace mounted on it, its lo raised.
pub fn plan(name: &str, lo_down: bool) -> Result<Plan, NetnsError> {
    check_name(name)?;
    let mut plan = Plan::new(format!("rnetns add {name}"));
    plan.push(Create {
        name: name.to_owned(),
        lo: !lo_down,
    });
    if !lo_down {
        plan.push(RaiseLo {
            name: name.to_owned(),
        });
    }
    Ok(plan)
}

/// The namespace itself. One step, because ip(8) does it in one command; undone in two: the mount, the file.
struct Create {
    name: String,
    /// A later step raises lo.
    lo: bool,
}

/// Kept in the context, for the next name of the same verb: our own namespace, and that the directory is shared.
struct Home(File);

/// Kept for [`RaiseLo`]: a socket in the namespace just made.
struct Made {
    name: String,
    nl: Netlink,
}

impl Create {
    fn path(&self) -> PathBuf {
        Path::new(RUN_NETNS).join(&self.name)
    }
}

impl Step for Create {
    fn meta(&self) -> Meta {
        Meta::new(
            "netns.create",
            says::create(self.path().display()),
            Shell::Exact(vec![run!["ip", "netns", "add", &self.name]]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Nothing can mark an empty file as ours, and apply() removes it itself when it fails after making
        // it: a SIGKILL in those microseconds leaves a file that `rnetns list` shows as dead.
        Vec::new()
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let doing = || format!("creating network namespace \"{}\"", self.name);
        let home = cx.kept_or(home).map_err(|e| StepError::new(doing(), e))?;
        let path = self.path();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(&path);
        match file {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(StepError::new(doing(), "that name is taken")
                    .hint(format!("rnetns del {} frees it", quote(&self.name))));
            }
            Err(e) => return Err(StepError::new(doing(), e)),
        }
        let unlink = Undo::unlink(&path).identified();
        let mounted = mount_new(home, &path, self.lo).map_err(|errno| {
            let _ = std::fs::remove_file(&path);
            StepError::new(doing(), errno)
        })?;
        if let Some(nl) = mounted {
            let name = self.name.clone();
            cx.keep(Made { name, nl });
        }
        Ok(Done::made(vec![
            unlink,
            Undo::Unmount {
                id: MountId::of(&path).ok(),
                path,
            },
        ]))
    }
}

const OWN: &str = "/proc/thread-self/ns/net";

fn home() -> Result<Home, Errno> {
    share_directory()?;
    Ok(Home(File::open(OWN).map_err(|e| errno(&e))?))
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// Makes a namespace and mounts it on `path`, and if asked opens a socket in it; the calling thread is back in its own
/// afterwards.
fn mount_new(home: &Home, path: &Path, socket: bool) -> Result<Option<Netlink>, Errno> {
    kit_sys::process::unshare(UnshareFlags::NEWNET)?;
    let mounted = mount_bind(OWN, path);
    // Without one the step that needs it opens its own, and says what is wrong.
    let nl = socket.then(|| Netlink::open().ok()).flatten();
    // Whatever that came to: staying would strand the caller in an empty namespace.
    move_into_link_name_space(home.0.as_fd(), Some(LinkNameSpaceType::Network))?;
    mounted.map(|()| nl)
}

/// `/run/netns` is a mount shared with every mount namespace, as ip-netns(8) has it: a name made or deleted
/// here then is so everywhere.
fn share_directory() -> Result<(), Errno> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(RUN_NETNS);
    made.map_err(|e| errno(&e))?;
    let share = || {
        mount_change(
            RUN_NETNS,
            MountPropagationFlags::SHARED | MountPropagationFlags::REC,
        )
    };
    match share() {
        // Not a mount point yet. ip(8) takes the same lock: of two at once both would mount it, one over the other's names.
        Err(Errno::INVAL) => {
            let dir = File::open(RUN_NETNS).map_err(|e| errno(&e))?;
            lock::wait(&dir, Hold::Alone).map_err(|e| errno(&e))?;
            share().or_else(|_| {
                mount_bind_recursive(RUN_NETNS, RUN_NETNS)?;
                share()
            })
        }
        other => other,
    }
}

struct RaiseLo {
    name: String,
}

impl Step for RaiseLo {
    fn meta(&self) -> Meta {
        let line = run!["ip", "-n", &self.name, "link", "set", "lo", "up"];
        Meta::new("netns.lo", says::lo(), Shell::Exact(vec![line]))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let nl = match cx.take::<Made>() {
            Some(made) if made.name == self.name => made.nl,
            _ => {
                let netns = crate::Netns::Name(self.name.clone()).open()?;
                Netlink::open_in(netns.as_fd())?
            }
        };
        // The kernel makes lo first in each namespace.
        nl.set_up(1)?;
        Ok(Done::nothing())
    }
}
