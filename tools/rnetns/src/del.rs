//! `rnetns del`: a name goes; the namespace itself goes with its last user.

use std::path::{Path, PathBuf};

use kit_plan::{Context, Done, Meta, Plan, Shell, Step, StepError, run};
use kit_sys::calls::mount::unmount;
use rustix::io::Errno;
use rustix::mount::UnmountFlags;

use crate::name::check_name;
use crate::says;
use crate::{NetnsError, RUN_NETNS};

/// What `del` does. The name must be there.
pub fn plan(name: &str) -> Result<Plan, NetnsError> {
    check_name(name)?;
    let path = Path::new(RUN_NETNS).join(name);
    if std::fs::symlink_metadata(&path).is_err() {
        return Err(NetnsError::Unknown {
            name: name.to_owned(),
        });
    }
    let mut plan = Plan::new(format!("rnetns del {name}"));
    plan.push(Delete {
        name: name.to_owned(),
        path,
    });
    Ok(plan)
}

struct Delete {
    name: String,
    path: PathBuf,
}

impl Step for Delete {
    fn meta(&self) -> Meta {
        let lines = vec![run!["ip", "netns", "del", &self.name]];
        Meta::new(
            "netns.delete",
            says::delete(&self.name),
            Shell::Exact(lines),
        )
    }

    fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
        let gone = || {
            // Somebody else was first.
            let name = self.name.clone();
            NetnsError::Unknown { name }.into()
        };
        let failed = |errno| match errno {
            Errno::NOENT => gone(),
            _ => StepError::new(
                format!("deleting network namespace \"{}\"", self.name),
                errno,
            ),
        };
        match unmount(&self.path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW) {
            // EINVAL: a file left behind, with nothing mounted on it.
            Ok(()) | Err(Errno::INVAL) => {}
            Err(errno) => return Err(failed(errno)),
        }
        rustix::fs::unlink(&self.path).map_err(failed)?;
        Ok(Done::nothing())
    }
}
