//! `rmount umount`.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::Args;
use kit_cli::{Act, Failure, Failures, Result, Row, need_root};
use kit_plan::{Fault, Plan};

use super::real;
use crate::list::Entry;
use crate::step::Unmount;
use crate::{MountError, mountinfo, umount};

#[derive(Args)]
pub(super) struct Umount {
    #[command(flatten)]
    act: Act,
    /// Detach it now, even if it is in use; it goes with its last user
    #[arg(short, long)]
    lazy: bool,
    /// With all that is mounted beneath it
    #[arg(short = 'R', long)]
    recursive: bool,
    /// With - also what the system and other programs mounted
    #[arg(long)]
    all_owners: bool,
    /// Be quiet about what is not mounted
    #[arg(short, long)]
    force: bool,
    /// Mount points; - reads them from standard input
    #[arg(required = true, value_name = "MOUNT")]
    targets: Vec<OsString>,
}

/// Nothing is mounted there, and that is all right.
#[derive(Debug, thiserror::Error)]
#[error("nothing is mounted there")]
struct Absent;

impl Fault for Absent {}

impl Umount {
    pub(super) fn run(self) -> Result {
        let targets = kit_cli::os_names(&self.targets, &["mount"])?;
        let texts = targets.iter().filter_map(|target| target.to_str());
        let texts: Vec<String> = texts.map(str::to_owned).collect();
        let is_there = |name: &str| Path::new(name).exists();
        kit_cli::refuse_heads(&texts, Entry::HEAD, "rmount list -q", is_there)?;
        if self.targets.iter().any(|target| target == "-") && !self.all_owners {
            spare_others(&targets)?;
        }
        if !self.act.dry_run {
            need_root("unmounting")?;
        }
        let mut acting = self.act.start("rmount umount")?;
        let mut failures = Failures::default();
        for target in &targets {
            let done = match self.plan(target) {
                Ok(plan) => acting.run_for_good(&plan),
                Err(error) if error.fault::<Absent>().is_some() => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = done {
                failures.add(error);
            }
            if failures.is_interrupted() {
                break;
            }
        }
        failures.end()
    }

    fn plan(&self, target: &OsStr) -> Result<Plan> {
        let target = real(target.as_ref())?;
        let mounts = mountinfo::mounts()?;
        if mountinfo::at(&mounts, &target).is_none() {
            let error = if target.exists() {
                MountError::NotMounted { path: target }
            } else {
                crate::bind::missing(&target, "unmounting")
            };
            return Err(if self.force {
                Absent.into()
            } else {
                error.into()
            });
        }
        let mut plan = Plan::new(format!("rmount umount {}", target.display()));
        let all = if self.recursive {
            umount::tree_of(&target)?
        } else {
            vec![target]
        };
        for target in all {
            plan.push(Unmount {
                target,
                lazy: self.lazy,
            });
        }
        Ok(plan)
    }
}

/// A list of all mounts is easily piped into `umount -`: what the system stands on is refused there.
fn spare_others(targets: &[OsString]) -> Result<()> {
    for target in targets {
        let path = real(target.as_ref())?;
        if let Some(owner) = owner(&path) {
            let text = format!("unmounting {path:?} from a list: it is {owner}'s");
            return Err(Failure::usage(text)
                .hint("list with --under DIR, or --all-owners unmounts what others mounted too"));
        }
    }
    Ok(())
}

/// Who mounts there.
fn owner(path: &Path) -> Option<&'static str> {
    const BENEATH: [(&str, &str); 11] = [
        ("/proc", "the system"),
        ("/sys", "the system"),
        ("/dev", "the system"),
        ("/run/netns", "ip"),
        ("/run/user", "systemd"),
        ("/run/credentials", "systemd"),
        ("/var/lib/docker", "docker"),
        ("/run/docker", "docker"),
        ("/var/lib/containers", "podman"),
        ("/run/containerd", "containerd"),
        ("/var/lib/kubelet", "Kubernetes"),
    ];
    let beneath = BENEATH.iter().find(|(dir, _)| path.starts_with(dir));
    if let Some((_, owner)) = beneath {
        return Some(owner);
    }
    // `/`, `/home`, `/boot/efi`: where a system is installed, not where somebody works.
    let is_root = path.parent().is_none();
    let in_fstab = || {
        let fstab = std::fs::read_to_string("/etc/fstab").unwrap_or_default();
        fstab.lines().any(|line| {
            let target = line.split_ascii_whitespace().nth(1);
            !line.starts_with('#') && target.is_some_and(|target| Path::new(target) == path)
        })
    };
    let top = [
        "/run", "/tmp", "/home", "/boot", "/usr", "/var", "/opt", "/srv", "/etc", "/root",
    ];
    (is_root || top.iter().any(|dir| path == Path::new(dir)) || in_fstab()).then_some("the system")
}
