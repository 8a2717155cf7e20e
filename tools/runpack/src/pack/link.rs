//! Which file each needed library is, found as ld.so(8) would find it when the program starts: RPATH, RUNPATH, the cache, the default
//! directories, and only files of the program's own kind. `LD_LIBRARY_PATH` is the image's: this shell's is left out.
//! musl's own loader is followed too. Nothing is executed.

use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::cache::Cache;
use super::elf::{Kind, Object};
use super::error::{PackError, Stray};
use super::host::Host;
use super::process::{Loaded, Process, Rules, default_dirs};

const LD_SO_CACHE: &str = "/etc/ld.so.cache";

/// What glibc loads by dlopen(3), so that no DT_NEEDED names it: the sources of nsswitch.conf(5), and the unwinder that
/// pthread_exit(3) aborts without.
const GLIBC_OPENS: [&str; 4] = [
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libresolv.so.2",
    "libgcc_s.so.1",
];

/// A needed name and the file that answers it, by the path it was found at (which may have links in it).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// As the program asks for it.
    pub name: OsString,
    /// Where it was found.
    pub path: PathBuf,
}

/// Finds libraries on one host, and remembers what it has read.
pub struct Linker<'h> {
    host: &'h Host,
    cache: Option<Cache>,
    objects: HashMap<PathBuf, Option<Rc<Object>>>,
    library_path: Vec<PathBuf>,
    of_image: Vec<PathBuf>,
}

impl<'h> Linker<'h> {
    /// `library_path` is the caller's `LD_LIBRARY_PATH`: good for a hint only.
    pub fn new(host: &'h Host, library_path: Vec<PathBuf>) -> Self {
        let cache = host.read(Path::new(LD_SO_CACHE)).ok();
        Self {
            host,
            cache: cache.as_deref().and_then(Cache::parse),
            objects: HashMap::new(),
            library_path,
            of_image: Vec::new(),
        }
    }

    /// Looks into the directories of the image's own `LD_LIBRARY_PATH` too, as its programs will.
    #[must_use]
    pub fn with_image_path(mut self, dirs: Vec<PathBuf>) -> Self {
        self.of_image = dirs;
        self
    }

    /// The host's cache, if it has one.
    pub fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The object at a path, `None` if the file is no ELF object.
    pub fn object(&mut self, path: &Path) -> Result<Option<Rc<Object>>, PackError> {
        if let Some(known) = self.objects.get(path) {
            return Ok(known.clone());
        }
        let bytes = self.host.read(path)?;
        let object = Object::parse(&bytes).map_err(|e| PackError::Damaged {
            path: path.to_owned(),
            reason: e.to_string(),
        })?;
        let object = object.map(Rc::new);
        self.objects.insert(path.to_owned(), object.clone());
        Ok(object)
    }

    /// All libraries that a process running `program` has, in the order ld.so loads them, and those that glibc opens later.
    pub fn needs(&mut self, program: &Path, object: &Rc<Object>) -> Result<Vec<Need>, PackError> {
        let mut process = self.start(program, object);
        let mut needs = Vec::new();
        let mut at = 0;
        let mut opened = false;
        loop {
            if at == process.loaded.len() {
                if opened || !process.names.contains(OsStr::new("libc.so.6")) {
                    return Ok(needs);
                }
                opened = true;
                for name in GLIBC_OPENS.map(OsString::from) {
                    needs.extend(self.load(&mut process, 0, name));
                }
                continue;
            }
            let asked = process.loaded[at].object.clone();
            for name in &asked.needed {
                if process.answers(name) {
                    continue;
                }
                let name = process.expand(at, name);
                let Some(need) = self.load(&mut process, at, name.clone()) else {
                    return Err(self.not_found(&process, at, name));
                };
                needs.push(need);
            }
            at += 1;
        }
    }

    fn start(&mut self, program: &Path, object: &Rc<Object>) -> Process {
        let mut names = HashSet::new();
        if let Some(interpreter) = &object.interpreter {
            names.insert(interpreter.clone().into_os_string());
            if let Ok(Some(ld_so)) = self.object(interpreter) {
                names.extend(ld_so.soname.clone());
            }
        }
        let real = self
            .host
            .walk(program)
            .map_or_else(|_| program.to_owned(), |w| w.real);
        Process {
            rules: self.rules(object),
            kind: object.kind,
            library_path: self.of_image.clone(),
            lib: self.lib(object),
            loaded: vec![Loaded {
                origin: parent(&real),
                path: program.to_owned(),
                object: object.clone(),
                loader: None,
            }],
            names,
        }
    }

    fn rules(&self, object: &Object) -> Rules {
        let name = object.interpreter.as_deref().and_then(Path::file_name);
        let Some(arch) = name
            .and_then(OsStr::to_str)
            .and_then(|n| n.strip_prefix("ld-musl-"))
            .and_then(|n| n.split_once(".so").map(|(arch, _)| arch))
        else {
            return Rules::Glibc;
        };
        let listed = self
            .host
            .read(Path::new(&format!("/etc/ld-musl-{arch}.path")));
        let listed = listed.unwrap_or_else(|_| b"/lib:/usr/local/lib:/usr/lib".to_vec());
        let dirs = listed
            .split(|b| matches!(b, b':' | b'\n'))
            .filter(|d| !d.is_empty());
        Rules::Musl {
            dirs: dirs.map(|d| PathBuf::from(OsStr::from_bytes(d))).collect(),
        }
    }

    /// `$LIB` is compiled into ld.so; it is the directory ld.so itself was installed in, without the prefix.
    fn lib(&self, object: &Object) -> PathBuf {
        let ld_so = object
            .interpreter
            .as_deref()
            .and_then(|i| self.host.walk(i).ok());
        let Some(ld_so) = ld_so else {
            return PathBuf::from("lib");
        };
        let dir = parent(&ld_so.real);
        let dir = dir.strip_prefix("/").unwrap_or(&dir);
        dir.strip_prefix("usr").unwrap_or(dir).to_owned()
    }

    /// Finds `name` for the object at `by` and adds it to the process; `None` if nothing answers it.
    fn load(&mut self, process: &mut Process, by: usize, name: OsString) -> Option<Need> {
        if process.answers(&name) {
            return None;
        }
        let candidates = process.candidates(by, &name, self.cache.as_ref());
        let (path, object) = candidates
            .into_iter()
            .find_map(|path| Some((self.fits(&path, process.kind)?, path)))
            .map(|(object, path)| (path, object))?;
        process.names.insert(name.clone());
        process.names.extend(object.soname.clone());
        process.loaded.push(Loaded {
            origin: parent(&path),
            path: path.clone(),
            object,
            loader: Some(by),
        });
        Some(Need { name, path })
    }

    /// ld.so passes over a file of another class or machine without a word.
    fn fits(&mut self, path: &Path, kind: Kind) -> Option<Rc<Object>> {
        let walk = self.host.walk(path).ok()?;
        let object = self.object(&walk.real).ok()??;
        (object.kind == kind).then_some(object)
    }

    fn not_found(&mut self, process: &Process, by: usize, name: OsString) -> PackError {
        let stray = self.stray(process, &name);
        PackError::NoLibrary {
            needed_by: process.loaded[by].path.clone(),
            name,
            stray,
        }
    }

    fn stray(&mut self, process: &Process, name: &OsStr) -> Stray {
        for path in self.library_path.clone().iter().map(|dir| dir.join(name)) {
            if self.fits(&path, process.kind).is_some() {
                return Stray::ByEnvironment(path);
            }
        }
        let mut other = Stray::Nowhere;
        let configured = super::ldconf::directories(self.host);
        for path in configured
            .into_iter()
            .chain(default_dirs(process.kind))
            .map(|dir| dir.join(name))
        {
            if self.fits(&path, process.kind).is_some() {
                return Stray::NotInCache(path);
            }
            if self.host.walk(&path).is_ok() {
                other = Stray::OtherKind(path);
            }
        }
        other
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}
