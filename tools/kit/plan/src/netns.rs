//! The network namespace in which a journal was written: there "our own" means what it meant.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use kit_home::mountinfo;

use crate::{FileId, NetnsId};

const OWN: &str = "/proc/thread-self/ns/net";

/// Runs `act` in that namespace. Where nobody holds it any more it is gone with all its links and rules, and an
/// empty one stands in for it, in which nothing of a stranger's can be found.
pub fn within<T>(netns: Option<NetnsId>, act: impl FnOnce() -> T) -> io::Result<T> {
    let is_here = |netns: NetnsId| NetnsId::own().is_ok_and(|own| own.is(&netns));
    let Some(netns) = netns.filter(|netns| !is_here(*netns)) else {
        return Ok(act());
    };
    let own = File::open(OWN)?;
    if let Some(there) = find(netns) {
        enter(&there)?;
    }
    // Not found; or its number is another's by now.
    if !is_here(netns) {
        kit_sys::process::unshare(UnshareFlags::NEWNET)?;
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

/// By ip(8)'s names, by what processes are in or hold open, and by what is mounted, in any mount namespace.
fn find(netns: NetnsId) -> Option<File> {
    let named = entries("/run/netns".into());
    let inside = processes().map(|it| it.join("ns/net"));
    let open = processes().flat_map(|it| entries(it.join("fd")));
    // Not by stat(2) at once: a process may have a file of a filesystem that does not answer.
    let open = open.filter(|fd| std::fs::read_link(fd).is_ok_and(|target| is_netns(&target)));
    let mut all = named.chain(inside).chain(open).chain(mounted());
    all.find_map(|path| open_if(&path, netns))
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let is_process = |path: &PathBuf| {
        let name = path.file_name().map(OsStr::as_encoded_bytes);
        name.is_some_and(|name| name.iter().all(u8::is_ascii_digit))
    };
    entries("/proc".into()).filter(is_process)
}

fn mounted() -> impl Iterator<Item = PathBuf> {
    let mut seen = HashSet::new();
    // One of each mount namespace, ourselves first.
    let all = ["/proc/thread-self".into()].into_iter().chain(processes());
    let all = all.filter(move |it| {
        FileId::of_netns(Some(&it.join("ns/mnt"))).is_ok_and(|id| seen.insert(id))
    });
    all.flat_map(|it| {
        let mounts = mountinfo::read(&it.join("mountinfo")).unwrap_or_default();
        let mounts = mounts.into_iter().filter(|mount| is_netns(&mount.root));
        mounts.map(move |mount| {
            it.join("root")
                .join(mount.target.strip_prefix("/").unwrap_or(&mount.target))
        })
    })
}

fn is_netns(name: &Path) -> bool {
    name.as_os_str().as_encoded_bytes().starts_with(b"net:[")
}

fn entries(dir: PathBuf) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

/// Opened first: whose the path is may change.
fn open_if(path: &Path, netns: NetnsId) -> Option<File> {
    let is_it = |id: io::Result<FileId>| id.is_ok_and(|id| netns.is_file(id));
    let file = is_it(FileId::of_netns(Some(path))).then(|| File::open(path).ok());
    file.flatten().filter(|file| is_it(FileId::of_fd(file)))
}
