//! A record of the system calls that a step makes, for `--explain=calls`: noted where a call is made, with what the kernel answered.
//! Off unless somebody asks, and then of this thread alone; a child that is cloned meanwhile records its own. The modules below are
//! the calls of rustix and std that steps make, under their own names, each noted with its arguments, as strace(1) writes them.

pub mod fs;
pub mod mount;
pub mod thread;

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::os::fd::{AsFd, AsRawFd};

type Last = Box<dyn FnOnce(Vec<String>)>;

thread_local! {
    static BEFORE_EXEC: RefCell<Option<Last>> = const { RefCell::new(None) };
    static CALLS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Begins a record, or begins it anew.
pub fn record() {
    CALLS.with(|calls| *calls.borrow_mut() = Some(Vec::new()));
}

/// Whether somebody wants to know.
pub fn is_recorded() -> bool {
    CALLS.with(|calls| calls.borrow().is_some())
}

/// Notes one. `text` is made only if somebody wants to know.
pub fn note(text: impl FnOnce() -> String) {
    CALLS.with(|calls| {
        if let Some(calls) = calls.borrow_mut().as_mut() {
            calls.push(text());
        }
    });
}

/// What was noted since; the record goes on.
pub fn take() -> Vec<String> {
    CALLS.with(|calls| {
        calls
            .borrow_mut()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    })
}

/// Has `tell` called with what was noted just before this program is replaced, if there is a record.
pub fn before_exec(tell: impl FnOnce(Vec<String>) + 'static) {
    if is_recorded() {
        BEFORE_EXEC.with(|last| *last.borrow_mut() = Some(Box::new(tell)));
    }
}

/// This program is about to be replaced.
pub fn told_before_exec() {
    if let Some(tell) = BEFORE_EXEC.with(|last| last.borrow_mut().take()) {
        tell(take());
    }
}

/// Calls `act`, and notes `text` with what came of it.
pub fn told<T, E: Display>(
    text: impl FnOnce() -> String,
    act: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    noted(is_recorded().then(text), act)
}

/// The same with a text that was made before, since the call takes what it is about.
fn noted<T, E: Display>(text: Option<String>, act: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let came_to = act();
    if let Some(text) = text {
        note(|| match &came_to {
            Ok(_) => text,
            Err(error) => format!("{text} = -1 ({error})"),
        });
    }
    came_to
}

/// A descriptor, and what it stands for: `5</proc>`.
pub fn fd(fd: impl AsFd) -> String {
    let number = fd.as_fd().as_raw_fd();
    if number == rustix::fs::CWD.as_raw_fd() {
        return "AT_FDCWD".to_owned();
    }
    match std::fs::read_link(format!("/proc/self/fd/{number}")) {
        Ok(path) => format!("{number}<{}>", path.display()),
        Err(_) => number.to_string(),
    }
}

/// Flags by their names in C: `MS_NOSUID|MS_NODEV`.
pub fn flags(flags: impl Debug, prefix: &str) -> String {
    let text = format!("{flags:?}");
    let inner = text.split_once('(').map_or(text.as_str(), |(_, rest)| rest);
    let names = inner.trim_end_matches(')').split(" | ").map(|name| {
        if name == "0x0" {
            "0".to_owned()
        } else if name.starts_with("0x") || name.starts_with(prefix) || name.starts_with("AT_") {
            name.to_owned()
        } else {
            format!("{prefix}{name}")
        }
    });
    names.collect::<Vec<_>>().join("|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::mount::{MountFlags, OpenTreeFlags};

    #[test]
    fn a_call_is_noted_with_its_flags_and_its_error_and_only_while_somebody_wants_to_know() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        assert!(fs::create_dir(&path).is_err());
        assert!(take().is_empty());
        record();
        assert!(fs::create_dir(&path).is_err());
        fs::create_dir_all(&path).unwrap();
        let calls = take();
        assert_eq!(
            calls[0],
            format!("mkdir({path:?}, 0777) = -1 (No such file or directory (os error 2))")
        );
        assert_eq!(
            calls[1],
            format!("mkdir({path:?}, 0777), and those above it")
        );
        assert_eq!(
            flags(MountFlags::NOSUID | MountFlags::RDONLY, "MS_"),
            "MS_NOSUID|MS_RDONLY"
        );
        assert_eq!(flags(MountFlags::empty(), "MS_"), "0");
        let tree = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::AT_RECURSIVE;
        assert_eq!(flags(tree, "OPEN_TREE_"), "OPEN_TREE_CLONE|AT_RECURSIVE");
    }
}
