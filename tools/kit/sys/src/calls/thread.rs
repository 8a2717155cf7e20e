//! What the calling thread is: its namespaces, its root, its user.
#![allow(missing_docs)] // each is that of rustix or std, by its name

use std::os::fd::BorrowedFd;

use rustix::io::Result;
use rustix::path::Arg;
use rustix::process::{Gid, Uid};
use rustix::thread::{self as call, CapabilitySets, LinkNameSpaceType};

use super::{fd, noted, told};

pub fn move_into_link_name_space(
    namespace: BorrowedFd<'_>,
    kind: Option<LinkNameSpaceType>,
) -> Result<()> {
    let text = || match kind {
        None => format!("setns({}, 0)", fd(namespace)),
        Some(LinkNameSpaceType::Network) => format!("setns({}, CLONE_NEWNET)", fd(namespace)),
        Some(kind) => format!("setns({}, {kind:?})", fd(namespace)),
    };
    told(text, || call::move_into_link_name_space(namespace, kind))
}

pub fn pivot_root(new: impl Arg, old: impl Arg) -> Result<()> {
    let text = super::is_recorded().then(|| {
        let (new, old) = (new.to_string_lossy(), old.to_string_lossy());
        format!("pivot_root({new:?}, {old:?})")
    });
    noted(text, || rustix::process::pivot_root(new, old))
}

pub fn fchdir(dir: BorrowedFd<'_>) -> Result<()> {
    told(
        || format!("fchdir({})", fd(dir)),
        || rustix::process::fchdir(dir),
    )
}

pub fn chdir(path: impl Arg) -> Result<()> {
    let text = super::is_recorded().then(|| format!("chdir({:?})", path.to_string_lossy()));
    noted(text, || rustix::process::chdir(path))
}

pub fn sethostname(name: &[u8]) -> Result<()> {
    told(
        || format!("sethostname({:?})", String::from_utf8_lossy(name)),
        || rustix::system::sethostname(name),
    )
}

pub fn set_thread_groups(groups: &[Gid]) -> Result<()> {
    let text = || {
        let groups: Vec<String> = groups.iter().map(|gid| gid.as_raw().to_string()).collect();
        format!("setgroups([{}])", groups.join(", "))
    };
    told(text, || call::set_thread_groups(groups))
}

pub fn set_thread_res_gid(real: Gid, effective: Gid, saved: Gid) -> Result<()> {
    let text = || {
        let [real, effective, saved] = [real, effective, saved].map(Gid::as_raw);
        format!("setresgid({real}, {effective}, {saved})")
    };
    told(text, || call::set_thread_res_gid(real, effective, saved))
}

pub fn set_thread_res_uid(real: Uid, effective: Uid, saved: Uid) -> Result<()> {
    let text = || {
        let [real, effective, saved] = [real, effective, saved].map(Uid::as_raw);
        format!("setresuid({real}, {effective}, {saved})")
    };
    told(text, || call::set_thread_res_uid(real, effective, saved))
}

pub fn set_capabilities(pid: Option<rustix::process::Pid>, sets: CapabilitySets) -> Result<()> {
    let text = || {
        let name = |set: call::CapabilitySet| super::flags(set, "CAP_");
        format!(
            "capset(effective {}, permitted {}, inheritable {})",
            name(sets.effective),
            name(sets.permitted),
            name(sets.inheritable)
        )
    };
    told(text, || call::set_capabilities(pid, sets))
}
