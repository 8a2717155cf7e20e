//! Where our commands are. Cargo tells a test the path of its own package's commands alone, so all are found by
//! where the test itself is: they lie beside its `deps/`.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The directory of the commands: of a test or bench in `target/…/debug/deps`, the directory above.
pub fn binaries() -> PathBuf {
    let test = env::current_exe().unwrap();
    let dir = test.parent().unwrap();
    if dir.ends_with("deps") {
        dir.parent().unwrap().to_owned()
    } else {
        dir.to_owned()
    }
}

/// A PATH that finds ours first.
pub fn path() -> OsString {
    let others = env::var_os("PATH").unwrap_or_default();
    let dirs = [binaries()].into_iter().chain(env::split_paths(&others));
    env::join_paths(dirs).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_come_first_in_path_and_are_above_deps() {
        let first = env::split_paths(&path()).next().unwrap();
        assert_eq!(first, binaries());
        assert_eq!(
            env::current_exe().unwrap().parent().unwrap(),
            first.join("deps")
        );
    }
}
