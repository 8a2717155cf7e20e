//! User namespaces: the ids inside mapped to ids outside, and the first process made root inside. See
//! user_namespaces(7).
//!
//! Right after its clone the process still has our user's id outside, and may look up what only we may (a root below a
//! directory of mode 0700); what it makes would belong to nobody inside. So it opens the sources of its mounts first, then
//! becomes root inside, and mounts afterwards.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use kit_plan::os_text::unescape;
use kit_plan::{Context, Done, Line, Meta, Shell, Side, Step, StepError, cat};
use oci_spec::runtime::{LinuxIdMapping, LinuxNamespaceType, Spec};
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::error::fail;
use super::mounts::is_bind;
use super::namespaces;
use super::spawn::PID;
use crate::says;

/// Writes uid_map and gid_map of the child (user_namespaces(7)).
pub struct WriteMaps {
    uids: Vec<LinuxIdMapping>,
    gids: Vec<LinuxIdMapping>,
}

impl WriteMaps {
    /// The step; `None` for a container in our user namespace, or in one that it joins.
    pub fn of(spec: &Spec) -> Option<Self> {
        if !namespaces::has_new(spec, LinuxNamespaceType::User) {
            return None;
        }
        let linux = spec.linux().clone()?;
        Some(Self {
            uids: linux.uid_mappings().clone().unwrap_or_default(),
            gids: linux.gid_mappings().clone().unwrap_or_default(),
        })
    }

    /// Each file with its text, INSIDE OUTSIDE COUNT a line.
    fn files(&self) -> [(&'static str, String); 2] {
        let text = |maps: &[LinuxIdMapping]| -> String {
            let line = |map: &LinuxIdMapping| {
                format!("{} {} {}\n", map.container_id(), map.host_id(), map.size())
            };
            maps.iter().map(line).collect()
        };
        [("uid_map", text(&self.uids)), ("gid_map", text(&self.gids))]
    }
}

impl Step for WriteMaps {
    fn meta(&self) -> Meta {
        let lines = self.files().map(|(name, text)| Line::Write {
            path: cat!["/proc/", PID, format!("/{name}")],
            text: text.trim_end().into(),
        });
        Meta::new("user.map", says::map_ids(), Shell::Exact(lines.to_vec()))
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let pid = cx
            .slots
            .get(PID)
            .and_then(|pid| pid.to_str())
            .unwrap_or_default();
        for (name, text) in self.files() {
            let path = PathBuf::from(format!("/proc/{pid}/{name}"));
            rcgroup::write(&path, &text).map_err(|error| {
                let error = StepError::from(error);
                error.hint(
                    "ids must not overlap, and what is outside must be ours: user_namespaces(7)",
                )
            })?;
        }
        Ok(Done::nothing())
    }
}

/// The sources of bind mounts, opened while they can be reached.
#[derive(Default)]
pub struct Sources(BTreeMap<PathBuf, OwnedFd>);

impl Sources {
    pub fn get(&self, path: &Path) -> Option<BorrowedFd<'_>> {
        self.0.get(path).map(AsFd::as_fd)
    }
}

/// Opens the sources of the bind mounts, then becomes root inside. Child-side, after the root is mounted.
pub struct BecomeRoot {
    sources: Vec<PathBuf>,
}

impl BecomeRoot {
    /// The step; `None` for a container in our user namespace.
    pub fn of(spec: &Spec) -> Option<Self> {
        let binds = spec
            .mounts()
            .iter()
            .flatten()
            .filter(|mount| is_bind(mount));
        let sources = binds.filter_map(|mount| mount.source().as_ref().map(unescape));
        namespaces::has_other_ids(spec).then(|| Self {
            sources: sources.map(PathBuf::from).collect(),
        })
    }
}

impl Step for BecomeRoot {
    fn meta(&self) -> Meta {
        Meta::new(
            "user.root",
            says::root_inside(),
            Shell::None("a shell cannot change its ids and go on"),
        )
    }

    fn side(&self) -> Side {
        Side::Child
    }

    fn apply(&self, cx: &mut Context) -> Result<Done, StepError> {
        let mut opened = Sources::default();
        for path in &self.sources {
            let fd = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
            // The step of the mount reports a source that is missing.
            if let Ok(fd) = fd {
                opened.0.insert(path.clone(), fd);
            }
        }
        cx.keep(opened);
        become_root()?;
        // setresuid(2) has reset the flag: outside this process must still not be traced.
        let _ = nix::sys::prctl::set_dumpable(false);
        Ok(Done::nothing())
    }
}

/// Makes the calling process root of the user namespace that it has entered, and drops its supplementary groups.
pub fn become_root() -> Result<(), StepError> {
    let doing = "becoming root of the user namespace";
    // setgroups(2) may be denied here; then no groups were inherited.
    let _ = set_thread_groups(&[]);
    let (uid, gid) = (Uid::ROOT, Gid::ROOT);
    set_thread_res_gid(gid, gid, gid).map_err(fail(doing))?;
    set_thread_res_uid(uid, uid, uid).map_err(|errno| {
        let error = fail(doing)(errno);
        error.hint("uidMappings and gidMappings must map containerID 0")
    })
}
