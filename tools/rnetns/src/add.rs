//! `rnetns add`: a new namespace under a name, with its loopback up.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kit_net::Netlink;
use kit_plan::{Context, Done, Meta, MountId, Plan, Shell, Slots, Step, StepError, Undo, run};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, mount_bind, mount_bind_recursive, mount_change};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::name::check_name;
use crate::{NetnsError, RUN_NETNS};

/// What `add` does: the directory is shared, the file made, the namespace mounted on it, its lo raised.
pub fn plan(name: &str, lo_down: bool) -> Result<Plan, NetnsError> {
    check_name(name)?;
    let mut plan = Plan::new(format!("rnetns add {name}"));
    plan.push(Create {
        name: name.to_owned(),
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
}

impl Create {
    fn path(&self) -> PathBuf {
        Path::new(RUN_NETNS).join(&self.name)
    }
}

impl Step for Create {
    fn meta(&self) -> Meta {
        let why = format!(
            "a network stack of its own, kept alive by a mount on {}",
            self.path().display()
        );
        Meta::new(
            "netns.create",
            why,
            Shell::Exact(vec![run!["ip", "netns", "add", &self.name]]),
        )
    }

    fn intent(&self, _: &Slots) -> Vec<Undo> {
        // Nothing can mark an empty file as ours, and apply() removes it itself when it fails after making
        // it: a SIGKILL in those microseconds leaves a file that `rnetns list` shows as dead.
        Vec::new()
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let doing = || format!("creating network namespace \"{}\"", self.name);
        share_directory().map_err(|e| StepError::new(doing(), e))?;
        let path = self.path();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o444)
            .open(&path);
        match file {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(StepError::new(doing(), "that name is taken")
                    .hint(format!("rnetns del {} frees it", self.name)));
            }
            Err(e) => return Err(StepError::new(doing(), e)),
        }
        let unlink = Undo::unlink(&path).identified();
        if let Err(errno) = mount_new(&path) {
            let _ = std::fs::remove_file(&path);
            let error = StepError::new(doing(), errno);
            return Err(if errno == Errno::PERM {
                error.hint("CAP_SYS_ADMIN is needed")
            } else {
                error
            });
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

/// Makes a namespace and mounts it on `path`; the calling thread is back in its own afterwards.
fn mount_new(path: &Path) -> Result<(), Errno> {
    const OWN: &str = "/proc/thread-self/ns/net";
    let own = File::open(OWN).map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    kit_sys::process::unshare(UnshareFlags::NEWNET)?;
    let mounted = mount_bind(OWN, path);
    // Whatever that came to: staying would strand the caller in an empty namespace.
    move_into_link_name_space(own.as_fd(), Some(LinkNameSpaceType::Network))?;
    mounted
}

/// `/run/netns` is a mount shared with every mount namespace, as ip-netns(8) has it: a name made or deleted
/// here then is so everywhere.
fn share_directory() -> Result<(), Errno> {
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o755)
        .create(RUN_NETNS);
    made.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    let share = || {
        mount_change(
            RUN_NETNS,
            MountPropagationFlags::SHARED | MountPropagationFlags::REC,
        )
    };
    match share() {
        // Not a mount point yet.
        Err(Errno::INVAL) => {
            mount_bind_recursive(RUN_NETNS, RUN_NETNS)?;
            share()
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
        Meta::new(
            "netns.lo",
            "its programs reach each other on 127.0.0.1",
            Shell::Exact(vec![line]),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let netns = crate::Netns::Name(self.name.clone()).open()?;
        let nl = Netlink::open_in(netns.as_fd())?;
        let lo = nl.need_link("lo")?;
        nl.set_up(lo.index)?;
        Ok(Done::nothing())
    }
}
