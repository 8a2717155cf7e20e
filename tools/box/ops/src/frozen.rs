//! Whether a container is frozen, which docker calls paused: by the freezer of v1 or by v2's own (cgroups(7)). No verb of
//! `rrun` freezes one; other programs and users do, by a file of its cgroup.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use box_state::{Container, Containers, RunState, StateError, Status};
use kit_plan::quote;
use rcgroup::{Group, Hierarchies, Mode, places};

/// A file that tells of a frozen cgroup, also of one that is frozen with its parent, and the line that says so.
type Told = (&'static str, &'static str);

const V1: Told = ("freezer.state", "FROZEN");
const V2: Told = ("cgroup.events", "frozen 1");

/// The hierarchies of this host, read when the first container that runs is asked about.
#[derive(Default)]
pub struct Freezers(OnceCell<Option<Hierarchies>>);

impl Freezers {
    /// A container's state.json, with [`Status::Paused`] in place of [`Status::Running`] if the container is frozen: the file
    /// never tells of that.
    ///
    /// # Errors
    /// As of [`Containers::state`].
    pub fn state(
        &self,
        containers: &Containers,
        container: &Container,
    ) -> Result<RunState, StateError> {
        let mut state = containers.state(&container.id)?;
        let runs = state.status == Status::Running;
        let process = state.process.as_ref().filter(|_| runs);
        let name = || containers.cgroup_name(container);
        if process.is_some_and(|process| self.hold(process.pid, name)) {
            state.status = Status::Paused;
        }
        Ok(state)
    }

    /// Whether a process is frozen whose container has the cgroup `name`.
    fn hold(&self, pid: i32, name: impl FnOnce() -> String) -> bool {
        let Some(host) = self.0.get_or_init(|| Hierarchies::detect().ok()) else {
            return false;
        };
        // On v2 each container has a cgroup, and one read is enough. On v1 it has none in the freezer's hierarchy unless it
        // was put into one, which its process alone knows.
        if host.mode == Mode::V2 {
            let root = host.v2.as_ref();
            return root.is_some_and(|root| tells(&root.join(name()), V2));
        }
        places(&cgroups_of(pid))
            .filter_map(|(controllers, path)| freezer_of(host, controllers, path))
            .any(|(dir, told)| tells(&dir, told))
    }
}

/// `/proc/PID/cgroup`; empty for a process that has gone.
fn cgroups_of(pid: i32) -> String {
    let text = kit_sys::file::read(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    String::from_utf8_lossy(&text).into_owned()
}

/// The directory in v1's freezer by which a process may be held, frozen or not. v2 lets the killed go.
pub(crate) fn holder(pid: i32) -> Option<PathBuf> {
    let text = cgroups_of(pid);
    // Most are in the root of that hierarchy, where nothing is frozen: then the host's hierarchies need not be read.
    let mut places = places(&text);
    let (controllers, path) = places.find(|(controllers, path)| {
        *path != "/"
            && controllers
                .split(',')
                .any(|controller| controller == "freezer")
    })?;
    let (dir, _) = freezer_of(&Hierarchies::detect().ok()?, controllers, path)?;
    Some(dir)
}

/// What v1's freezer takes as the order to let go.
pub(crate) const THAWED: &str = "THAWED";

/// The directory of a process in one hierarchy, as /proc/PID/cgroup has it; `None` where nothing can be frozen, as in the
/// root of each hierarchy.
fn freezer_of(host: &Hierarchies, controllers: &str, path: &str) -> Option<(PathBuf, Told)> {
    let inside = path.trim_start_matches('/');
    let (root, told) = if controllers.is_empty() {
        (host.v2.as_ref()?, V2)
    } else {
        let mut all = controllers.split(',');
        let freezer = all.find(|controller| *controller == "freezer")?;
        (host.v1.get(freezer)?, V1)
    };
    (!inside.is_empty()).then(|| (root.join(inside), told))
}

fn tells(dir: &Path, (file, line): Told) -> bool {
    let text = kit_sys::file::read(dir.join(file)).unwrap_or_default();
    let mut lines = text.split(|byte| *byte == b'\n');
    lines.any(|one| one == line.as_bytes())
}

/// Whether who joins this cgroup is frozen there: then, the command that lets it go on.
pub fn thaw(host: &Hierarchies, group: &Group) -> Option<String> {
    let (told, file, text) = match host.mode {
        Mode::V2 => (V2, "cgroup.freeze", "0"),
        Mode::V1 | Mode::Hybrid => (V1, V1.0, THAWED),
    };
    let dir = group.dir("freezer")?;
    tells(dir, told).then(|| format!("echo {text} >{}", quote(dir.join(file))))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Hierarchies in a directory of the test's own, with the cgroup `box` in each.
    fn host(name: &str, mode: Mode) -> (PathBuf, Hierarchies) {
        let pid = std::process::id();
        let dir = std::env::temp_dir().join(format!("rrun-frozen-{name}-{pid}"));
        let (v1, v2) = (dir.join("freezer"), dir.join("unified"));
        for root in [&v1, &v2] {
            std::fs::create_dir_all(root.join("box")).unwrap();
        }
        let v1 = BTreeMap::from([("freezer".to_owned(), v1)]);
        let v1 = if mode == Mode::V2 {
            BTreeMap::new()
        } else {
            v1
        };
        let v2 = (mode != Mode::V1).then_some(v2);
        (dir, Hierarchies { v1, v2, mode })
    }

    fn asked(host: &Hierarchies, pid: i32) -> bool {
        Freezers(OnceCell::from(Some(host.clone()))).hold(pid, || "box".to_owned())
    }

    #[test]
    fn on_v2_the_cgroup_of_the_container_is_asked() {
        let (dir, host) = host("v2", Mode::V2);
        let events = dir.join("unified/box/cgroup.events");
        let group = host.group("box", &[]);
        let seen = |text: &str| {
            std::fs::write(&events, text).unwrap();
            (asked(&host, 1), thaw(&host, &group))
        };
        let command = format!(
            "echo 0 >{}",
            dir.join("unified/box/cgroup.freeze").display()
        );
        assert_eq!(seen("populated 1\nfrozen 1\n"), (true, Some(command)));
        assert_eq!(seen("populated 1\nfrozen 0\n"), (false, None));
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(!asked(&host, 1));
    }

    #[test]
    fn on_v1_it_is_the_one_that_the_process_is_in() {
        let (dir, host) = host("v1", Mode::Hybrid);
        let v1 = |controllers, path| freezer_of(&host, controllers, path);
        let inside = (dir.join("freezer/box"), V1);
        assert_eq!(v1("freezer", "/box"), Some(inside.clone()));
        assert_eq!(v1("cpu,freezer", "/box"), Some(inside));
        assert_eq!(v1("", "/box"), Some((dir.join("unified/box"), V2)));
        for (controllers, path) in [
            ("freezer", "/"),
            ("", "/"),
            ("cpu", "/box"),
            ("name=x", "/y"),
        ] {
            assert_eq!(v1(controllers, path), None, "{controllers}:{path}");
        }
        let group = host.group("box", &["freezer"]);
        let state = dir.join("freezer/box/freezer.state");
        for (text, frozen) in [
            ("FROZEN\n", true),
            ("FREEZING\n", false),
            ("THAWED\n", false),
        ] {
            std::fs::write(&state, text).unwrap();
            assert_eq!(thaw(&host, &group).is_some(), frozen, "{text}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
