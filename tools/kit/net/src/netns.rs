//! Doing one thing in another network namespace, and coming back. See setns(2).

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::NetError;

/// The namespace of the calling thread, not of its process's first.
const OWN: &str = "/proc/thread-self/ns/net";

/// Runs `act` with the calling thread in `netns`: opening a socket, or a file of `/proc/sys/net`, which is that
/// of whoever opens it.
pub fn within<T, E: From<NetError>>(
    netns: BorrowedFd<'_>,
    act: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let own = File::open(OWN).map_err(|source| NetError::Netns {
        doing: "opening our own",
        source,
    })?;
    enter(netns, "entering another")?;
    let done = act();
    // Whatever act came to: a thread that stays in the wrong namespace would go on configuring it.
    enter(own.as_fd(), "returning to our own")?;
    done
}

fn enter(netns: BorrowedFd<'_>, doing: &'static str) -> Result<(), NetError> {
    move_into_link_name_space(netns, Some(LinkNameSpaceType::Network)).map_err(|errno| {
        NetError::Netns {
            doing,
            source: errno.into(),
        }
    })
}
