//! The process that a dynamic loader puts together: who is loaded, by whom, under which names; and from that, where the next library is
//! looked for. Pure: it names paths, [`super::link`] tries them. See ld.so(8), "rpath token expansion" included.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::cache::Cache;
use super::elf::{Kind, Object, architecture};

/// Names that musl's loader answers by itself (`ldso/dynlink.c`, `load_library`).
const MUSL_OWN: [&str; 7] = [
    "libc.",
    "libpthread.",
    "librt.",
    "libm.",
    "libdl.",
    "libutil.",
    "libxnet.",
];

/// Whose rules: they differ in where they look, not in what they load.
pub(super) enum Rules {
    Glibc,
    Musl { dirs: Vec<PathBuf> },
}

/// One object of a process that is being put together, as in ld.so's link map.
pub(super) struct Loaded {
    pub path: PathBuf,
    pub object: Rc<Object>,
    /// Who asked for it: its RPATH counts for this one as well.
    pub loader: Option<usize>,
    pub origin: PathBuf,
}

/// The process as ld.so would fill it.
pub(super) struct Process {
    pub rules: Rules,
    pub kind: Kind,
    /// `LD_LIBRARY_PATH` of the image: before RUNPATH and after RPATH; musl asks it first of all.
    pub library_path: Vec<PathBuf>,
    /// What `$LIB` stands for.
    pub lib: PathBuf,
    pub loaded: Vec<Loaded>,
    pub names: HashSet<OsString>,
}

impl Process {
    /// Something already loaded goes by this name: ld.so does not look for it again.
    pub fn answers(&self, name: &OsStr) -> bool {
        let own = |prefix: &&str| name.as_bytes().starts_with(prefix.as_bytes());
        self.names.contains(name)
            || matches!(self.rules, Rules::Musl { .. }) && MUSL_OWN.iter().any(own)
    }

    /// Every path the loader would try for `name`, in its order.
    pub fn candidates(&self, by: usize, name: &OsStr, cache: Option<&Cache>) -> Vec<PathBuf> {
        if name.as_bytes().contains(&b'/') {
            return vec![PathBuf::from(name)];
        }
        let mut paths: Vec<_> = self.own_dirs(by).iter().map(|dir| dir.join(name)).collect();
        match &self.rules {
            Rules::Musl { dirs } => paths.extend(dirs.iter().map(|dir| dir.join(name))),
            Rules::Glibc => {
                let defaults = default_dirs(self.kind);
                let barred = self.loaded[by].object.no_default_dirs;
                let is_default = |path: &Path| defaults.iter().any(|d| path.parent() == Some(d));
                let cached = cache.into_iter().flat_map(|c| c.find(name));
                paths.extend(
                    cached
                        .filter(|p| !(barred && is_default(p)))
                        .map(Path::to_owned),
                );
                if !barred {
                    paths.extend(defaults.iter().map(|dir| dir.join(name)));
                }
            }
        }
        paths.retain(|path| path.is_absolute());
        paths
    }

    /// RPATH of the object and of everyone up to the program, but for those with a RUNPATH, which is for an object's own needs only;
    /// between the two the image's `LD_LIBRARY_PATH`.
    fn own_dirs(&self, by: usize) -> Vec<PathBuf> {
        let inherits_all = matches!(self.rules, Rules::Musl { .. });
        let mut dirs: Vec<PathBuf> = Vec::new();
        if inherits_all {
            dirs.extend_from_slice(&self.library_path);
        }
        let mut next = (inherits_all || self.loaded[by].object.runpath.is_empty()).then_some(by);
        while let Some(at) = next {
            let object = &self.loaded[at].object;
            let list = if inherits_all && !object.runpath.is_empty() {
                &object.runpath
            } else if object.runpath.is_empty() {
                &object.rpath
            } else {
                &Vec::new()
            };
            dirs.extend(list.iter().map(|dir| PathBuf::from(self.expand(at, dir))));
            next = self.loaded[at].loader;
        }
        if !inherits_all {
            dirs.extend_from_slice(&self.library_path);
            let runpath = &self.loaded[by].object.runpath;
            dirs.extend(
                runpath
                    .iter()
                    .map(|dir| PathBuf::from(self.expand(by, dir))),
            );
        }
        dirs
    }

    /// Puts in what `$ORIGIN`, `$LIB` and `$PLATFORM` stand for, with or without braces.
    pub fn expand(&self, at: usize, text: &OsStr) -> OsString {
        let platform = match architecture(self.kind) {
            "amd64" => "x86_64",
            "386" => "i686",
            "arm64" => "aarch64",
            other => other,
        };
        let mut bytes = text.as_bytes().to_vec();
        for (token, value) in [
            ("ORIGIN", self.loaded[at].origin.as_os_str()),
            ("LIB", self.lib.as_os_str()),
            ("PLATFORM", OsStr::new(platform)),
        ] {
            for form in [format!("${{{token}}}"), format!("${token}")] {
                bytes = replace(&bytes, form.as_bytes(), value.as_bytes());
            }
        }
        OsString::from_vec(bytes)
    }
}

/// The directories compiled into glibc: Debian's, then those of distributions with lib64.
pub(super) fn default_dirs(kind: Kind) -> Vec<PathBuf> {
    let tuple = match architecture(kind) {
        "amd64" => "x86_64-linux-gnu",
        "386" => "i386-linux-gnu",
        "arm64" => "aarch64-linux-gnu",
        "arm" => "arm-linux-gnueabihf",
        "riscv64" => "riscv64-linux-gnu",
        "s390x" => "s390x-linux-gnu",
        "ppc64le" => "powerpc64le-linux-gnu",
        _ => "loongarch64-linux-gnu",
    };
    let mut dirs = vec![format!("/lib/{tuple}"), format!("/usr/lib/{tuple}")];
    if kind.class == 2 {
        dirs.extend(["/lib64".into(), "/usr/lib64".into()]);
    }
    dirs.extend(["/lib".into(), "/usr/lib".into()]);
    dirs.into_iter().map(PathBuf::from).collect()
}

fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.windows(from.len()).position(|w| w == from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    out.extend_from_slice(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(needed: &[&str], rpath: &[&str], runpath: &[&str]) -> Rc<Object> {
        let list = |words: &[&str]| words.iter().map(OsString::from).collect();
        Rc::new(Object {
            kind: Kind {
                class: 2,
                machine: 62,
            },
            executable: true,
            interpreter: None,
            needed: list(needed),
            soname: None,
            rpath: list(rpath),
            runpath: list(runpath),
            no_default_dirs: false,
        })
    }

    fn process(objects: Vec<Rc<Object>>, rules: Rules) -> Process {
        let loaded = objects.into_iter().enumerate().map(|(i, object)| Loaded {
            path: format!("/opt/o{i}/lib/x").into(),
            origin: format!("/opt/o{i}/lib").into(),
            object,
            loader: i.checked_sub(1),
        });
        Process {
            rules,
            kind: Kind {
                class: 2,
                machine: 62,
            },
            library_path: Vec::new(),
            lib: "lib/x86_64-linux-gnu".into(),
            loaded: loaded.collect(),
            names: HashSet::new(),
        }
    }

    fn dirs(process: &Process, by: usize) -> Vec<String> {
        let dirs = process.own_dirs(by);
        dirs.iter()
            .map(|d| d.to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn rpath_is_inherited_from_the_loaders_with_their_own_origin() {
        let p = process(
            vec![
                object(&[], &["$ORIGIN/a"], &[]),
                object(&[], &["${ORIGIN}/$LIB"], &[]),
            ],
            Rules::Glibc,
        );
        assert_eq!(
            dirs(&p, 1),
            ["/opt/o1/lib/lib/x86_64-linux-gnu", "/opt/o0/lib/a"]
        );
    }

    #[test]
    fn runpath_hides_every_rpath_and_is_not_inherited() {
        let p = process(
            vec![
                object(&[], &[], &["/main"]),
                object(&[], &["/never"], &["/own"]),
                object(&[], &[], &[]),
            ],
            Rules::Glibc,
        );
        assert_eq!(dirs(&p, 1), ["/own"]);
        assert!(dirs(&p, 2).is_empty());
    }

    #[test]
    fn in_musl_runpath_is_inherited_too_and_libc_is_the_loader() {
        let p = process(
            vec![object(&[], &[], &["/main"]), object(&[], &["/r"], &[])],
            Rules::Musl {
                dirs: vec!["/lib".into()],
            },
        );
        assert_eq!(dirs(&p, 1), ["/r", "/main"]);
        assert!(p.answers(OsStr::new("libc.so")));
        assert!(!p.answers(OsStr::new("libz.so.1")));
    }

    #[test]
    fn the_images_library_path_is_between_rpath_and_runpath_and_first_in_musl() {
        let mut p = process(
            vec![object(&[], &["/r"], &[]), object(&[], &[], &["/own"])],
            Rules::Glibc,
        );
        p.library_path = vec!["/env".into()];
        assert_eq!(dirs(&p, 0), ["/r", "/env"]);
        assert_eq!(dirs(&p, 1), ["/env", "/own"]);
        p.rules = Rules::Musl { dirs: Vec::new() };
        assert_eq!(dirs(&p, 1), ["/env", "/own", "/r"]);
    }

    #[test]
    fn nodefaultlib_bars_the_default_directories_only() {
        let mut barred = (*object(&[], &[], &[])).clone();
        barred.no_default_dirs = true;
        let p = process(vec![Rc::new(barred)], Rules::Glibc);
        assert!(p.candidates(0, OsStr::new("libz.so.1"), None).is_empty());
        assert_eq!(
            p.candidates(0, OsStr::new("/x/libz.so.1"), None),
            [PathBuf::from("/x/libz.so.1")]
        );
    }
}
