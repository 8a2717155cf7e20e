//! A user's name made numbers in a configuration, for a runtime that reads no /etc/passwd: a bundle's.
//! What runs here looks its user up by itself, once it is inside.

use std::io::Read;
use std::os::fd::BorrowedFd;
use std::path::Path;

use oci_spec::runtime::Spec;
use rmount::inroot;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::resolve::{UserError, resolve_user};

/// Looks `user` up in the files beneath `root`, as the last step would; empty leaves the numbers as they are.
///
/// # Errors
/// A user or a group that is not there.
pub fn write_out(spec: &mut Spec, user: &str, root: BorrowedFd<'_>) -> Result<(), UserError> {
    let Some(process) = spec.process_mut().as_mut().filter(|_| !user.is_empty()) else {
        return Ok(());
    };
    // One that cannot be read names nobody.
    let text = |path| read(root, Path::new(path)).unwrap_or_default();
    let found = resolve_user(user, &text("/etc/passwd"), &text("/etc/group"))?;
    let numbers = process.user_mut();
    numbers.set_uid(found.uid);
    numbers.set_gid(found.gid);
    numbers.set_additional_gids(Some(found.groups));
    let env = process.env_mut().get_or_insert_default();
    if !env.iter().any(|pair| pair.starts_with("HOME=")) {
        env.push(format!("HOME={}", found.home));
    }
    Ok(())
}

fn read(root: BorrowedFd<'_>, path: &Path) -> Result<String, Errno> {
    // Not a FIFO that nobody writes to, which an image may well hold there.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = inroot::open(root, path, flags)?;
    let mut text = String::new();
    let read = std::fs::File::from(file).read_to_string(&mut text);
    read.map_err(|_| Errno::IO)?;
    Ok(text)
}
