//! The mounts in sh. An image is hostile, and mkdir(1), touch(1) and mount(8) of the host would follow a symbolic link of
//! it out of the container's root: each path is looked up by `in_root`, a function of the script, as rmount's `inroot`
//! does it.

use std::path::Path;

use kit_plan::{Line, Value, run, words};
use rmount::attr::Travel;

use super::{MountOne, Options};
use crate::cgroupfs;

/// The function, which the child's shell has. It runs in a subshell, so that its variables are its own.
const IN_ROOT: &str = r#"
# in_root ROOT LIKE COMMAND... PATH: runs the command with PATH as it is beneath ROOT. Symbolic links are followed
# as if ROOT were "/", so that none leads out. What is missing is made: directories, and at its end a file unless LIKE
# is a directory.
in_root() (
    root=$1 like=$2 at="" links=0
    shift 2
    left=$#
    while [ "$left" -gt 1 ]; do set -- "$@" "$1"; shift; left=$((left - 1)); done
    rest=$1
    shift
    while [ -n "$rest" ]; do
        name=${rest%%/*}
        rest=${rest#"$name"}
        rest=${rest#/}
        case $name in "" | .) continue ;; ..) at=${at%/*}; continue ;; esac
        if [ -L "$root$at/$name" ]; then
            links=$((links + 1))
            [ "$links" -le 40 ] || { echo "$at/$name: Too many levels of symbolic links" >&2; exit 125; }
            link=$(readlink -- "$root$at/$name")
            case $link in /*) at="" ;; esac
            rest=$link/$rest
            continue
        fi
        at=$at/$name
        [ ! -e "$root$at" ] || continue
        case $rest in *[!/]*) last=no ;; *) last=yes ;; esac
        if [ "$last" = no ] || [ -d "$like" ]; then mkdir -- "$root$at"; else : >"$root$at"; fi
    done
    exec "$@" "$root$at"
)
"#;

/// Whether /proc, /sys and /dev beneath `$1` are no links: files are made and hidden below them by plain paths.
const NO_LINKS: &str = r#"for dir in proc sys dev; do [ ! -L "$1/$dir" ] || exit; done"#;

/// Sets the options `$1` on the mount `$2` and on all mounts below it. mount(8) of Debian 12 ignores `ro=recursive` and
/// reports success.
const REMOUNT_ALL: &str = r#"findmnt -lno TARGET -R -- "$2" | while IFS= read -r m; do mount -o "$1" -- "$m" || exit; done"#;

/// The lines that come after the root's mount at `at` and before all mounts inside it.
pub fn begin(at: &Path) -> [Line; 2] {
    let or =
        "/proc, /sys or /dev of the image is a symbolic link, which this script does not follow";
    [
        Line::Check {
            argv: words!["sh", "-c", NO_LINKS, "sh", at],
            or: or.to_owned(),
        },
        run!["eval", IN_ROOT],
    ]
}

/// Runs a command whose last word is the path `to` of the container, in the root that is mounted at `at`. What is missing
/// of the path is made; at its end a directory if `like` is one, else a file.
fn in_root(at: &Path, like: &Path, command: Vec<Value>, to: &Path) -> Line {
    let mut words = words!["in_root", at, like];
    words.extend(command);
    words.push(to.into());
    Line::Run(words)
}

/// The same with a directory.
pub fn in_root_dir(at: &Path, command: Vec<Value>, to: &Path) -> Line {
    in_root(at, Path::new("/"), command, to)
}

impl MountOne {
    /// The step in sh.
    pub(super) fn lines(&self) -> Vec<Line> {
        let parsed = Options::parse(&self.options());
        let (kind, to) = (self.kind(), self.mount.destination());
        let source = self.mount.source().clone().unwrap_or_else(|| kind.into());
        let like = match kind {
            "bind" => source.as_path(),
            _ => Path::new("/"),
        };
        let line = |command| in_root(&self.at, like, command, to);
        let mut lines = match kind {
            "cgroup" => cgroupfs::script(&self.at, to, &parsed),
            "bind" => bind(&source, &parsed).into_iter().map(line).collect(),
            // No links, by the check of `begin`.
            _ if ["/proc", "/sys", "/dev"]
                .iter()
                .any(|own| to == Path::new(own)) =>
            {
                let place = self.at.join(to.strip_prefix("/").unwrap_or(to));
                let mut mount = file_system(kind, &source, &parsed);
                mount.push((&place).into());
                vec![run!["mkdir", "-p", &place], Line::Run(mount)]
            }
            _ => vec![line(file_system(kind, &source, &parsed))],
        };
        for (travel, whole) in &parsed.travel {
            let r = if *whole { "r" } else { "" };
            // What is bound or new in the script's namespace is private already.
            if *travel != Travel::Private {
                let make = format!("--make-{r}{}", travel.word());
                lines.push(line(words!["mount", make]));
            }
        }
        lines
    }
}

/// The commands of a bind mount, without the mount point at their ends.
fn bind(source: &Path, parsed: &Options) -> Vec<Vec<Value>> {
    let how = if parsed.recursive {
        "--rbind"
    } else {
        "--bind"
    };
    let mut commands = vec![words!["mount", how, source]];
    let attributes = parsed.attributes.words();
    if !attributes.is_empty() {
        let options = format!("remount,bind,{}", attributes.join(","));
        commands.push(if parsed.recursive {
            words!["sh", "-c", REMOUNT_ALL, "sh", options]
        } else {
            words!["mount", "-o", options]
        });
    }
    commands
}

/// The command that mounts a new file system, without the mount point at its end.
fn file_system(kind: &str, source: &Path, parsed: &Options) -> Vec<Value> {
    let mut options = parsed.attributes.words().to_vec();
    options.extend(parsed.data.iter().map(String::as_str));
    let mut command = words!["mount", "-t", kind];
    if !options.is_empty() {
        command.extend(words!["-o", options.join(",")]);
    }
    command.push(source.into());
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use rmount::inroot::{self, Make};
    use rustix::fs::{Mode, OFlags};

    /// Links of a hostile image.
    const LINKS: [(&str, &str); 9] = [
        ("etc/resolv.conf", "../run/systemd/stub.conf"),
        ("etc/hosts", "/no/such/hosts"),
        ("etc/up", "../../../../outside"),
        ("absolute", "/no/such/place"),
        ("twice", "absolute"),
        ("to/etc", "/etc"),
        ("a", "b"),
        ("b", "a"),
        ("more", "more/x"),
    ];

    fn image() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (at, to) in LINKS {
            let at = dir.path().join(at);
            std::fs::create_dir_all(at.parent().unwrap()).unwrap();
            symlink(to, at).unwrap();
        }
        dir
    }

    /// Runs a script in a directory; `None` if it fails.
    fn sh(dir: &Path, script: &str, words: &[&str]) -> Option<String> {
        let mut sh = Command::new("sh");
        sh.args(["-euc", script, "sh"]).args(words).current_dir(dir);
        let out = sh.output().unwrap();
        let text = String::from_utf8(out.stdout).unwrap();
        out.status.success().then_some(text)
    }

    #[test]
    fn sh_finds_and_makes_what_we_find_and_make_beneath_the_root() {
        let all = "find . -printf '%P %y %l\n' | sort";
        let run = format!("{IN_ROOT}in_root \"$PWD\" \"$1\" stat -c %i \"$2\"");
        for (path, make) in [
            ("/etc/resolv.conf", Make::File),
            ("/etc/hosts", Make::File),
            ("/etc/up", Make::File),
            ("/twice/and/deeper", Make::Dir),
            ("/absolute//", Make::Dir),
            ("/to/etc/../made//./here/", Make::Dir),
            ("/../a b/*/$x", Make::File),
            ("/etc", Make::Dir),
            ("/to/etc/hosts/below", Make::Dir),
            ("/a", Make::Dir),
            ("/b/c", Make::File),
            ("/more", Make::Dir),
        ] {
            let (ours, theirs) = (image(), image());
            let root = rustix::fs::open(ours.path(), OFlags::PATH, Mode::empty()).unwrap();
            let made = inroot::make(root.as_fd(), Path::new(path), make);
            let like = if make == Make::Dir {
                "/"
            } else {
                "/etc/passwd"
            };
            let inode = sh(theirs.path(), &run, &[like, path]);
            assert_eq!(made.is_ok(), inode.is_some(), "{path}");
            assert_eq!(
                sh(theirs.path(), all, &[]),
                sh(ours.path(), all, &[]),
                "{path}"
            );
            let Some(inode) = inode else { continue };
            let root = rustix::fs::open(theirs.path(), OFlags::PATH, Mode::empty()).unwrap();
            let found = inroot::find(root.as_fd(), Path::new(path)).unwrap();
            let stat = rustix::fs::fstat(found).unwrap();
            assert_eq!(inode, format!("{}\n", stat.st_ino), "{path}");
        }
        assert!(!Path::new("/no/such").exists() && !Path::new("/outside").exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_devices_ends_the_script() {
        let dir = tempfile::tempdir().unwrap();
        let checked = || sh(dir.path(), NO_LINKS, &["."]).is_some();
        std::fs::create_dir(dir.path().join("proc")).unwrap();
        assert!(checked());
        symlink("/tmp", dir.path().join("dev")).unwrap();
        assert!(!checked());
    }
}
