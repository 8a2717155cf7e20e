//! The network namespace in which a journal was written: there "our own" means what it meant.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::FileId;

const OWN: &str = "/proc/thread-self/ns/net";

/// Runs `act` in that namespace. Where nobody holds it any more it is gone with all its links and rules, and an
/// empty one stands in for it, in which nothing of a stranger's can be found.
pub fn within<T>(netns: Option<FileId>, act: impl FnOnce() -> T) -> io::Result<T> {
    let away = netns.filter(|netns| FileId::of_netns(None).ok() != Some(*netns));
    let Some(netns) = away else {
        return Ok(act());
    };
    let own = File::open(OWN)?;
    match find(netns) {
        Some(there) => enter(&there)?,
        None => kit_sys::process::unshare(UnshareFlags::NEWNET)?,
    }
    let outcome = act();
    enter(&own)?;
    Ok(outcome)
}

fn enter(netns: &File) -> io::Result<()> {
    Ok(move_into_link_name_space(
        netns.as_fd(),
        Some(LinkNameSpaceType::Network),
    )?)
}

/// By ip(8)'s names, then by processes inside.
fn find(netns: FileId) -> Option<File> {
    let entries = |dir: &str| std::fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries("/run/netns").map(|entry| entry.path());
    let inside = entries("/proc").map(|entry| entry.path().join("ns/net"));
    let mut all = named.chain(inside);
    let path: PathBuf = all.find(|path| FileId::of_netns(Some(path)).ok() == Some(netns))?;
    let file = File::open(path).ok()?;
    // Whose it is may have changed since.
    (FileId::of_fd(&file).ok() == Some(netns)).then_some(file)
}
