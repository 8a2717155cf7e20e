//! Doing one thing in another network namespace, and coming back; one that has no name. See setns(2).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::{NetError, Netlink};

/// The namespace of the calling thread, not of its process's first.
const OWN: &str = "/proc/thread-self/ns/net";

/// Runs `act` with the calling thread in `netns`: opening a socket, or a file of `/proc/sys/net`, which is that
/// of whoever opens it.
pub fn within<T, E: From<NetError>>(
    netns: BorrowedFd<'_>,
    act: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let own = own()?;
    enter(netns, "entering another")?;
    let done = act();
    // Whatever act came to: a thread that stays in the wrong namespace would go on configuring it.
    enter(own.as_fd(), "returning to our own")?;
    done
}

/// A new namespace with lo up, which nobody else can see: it goes with its descriptor and the processes inside.
pub fn unnamed() -> Result<OwnedFd, NetError> {
    let home = own()?;
    kit_sys::process::unshare(UnshareFlags::NEWNET).map_err(|errno| NetError::Netns {
        doing: "making one",
        source: errno.into(),
    })?;
    // The kernel makes lo first in each namespace, so its index is 1.
    let made = own().and_then(|made| Netlink::open()?.set_up(1).map(|()| made.into()));
    enter(home.as_fd(), "returning to our own")?;
    made
}

fn own() -> Result<File, NetError> {
    File::open(OWN).map_err(|source| NetError::Netns {
        doing: "opening our own",
        source,
    })
}

fn enter(netns: BorrowedFd<'_>, doing: &'static str) -> Result<(), NetError> {
    move_into_link_name_space(netns, Some(LinkNameSpaceType::Network)).map_err(|errno| {
        NetError::Netns {
            doing,
            source: errno.into(),
        }
    })
}
