//! Images made of this machine's own programs, so that there is something real to run with no network at all: each program with the
//! libraries, the ELF interpreter and the script interpreters it needs, at the paths they have here, and the few files every root has.
//! What a script calls, or a program opens as data, nobody can tell from outside: `add` takes it along.
//!
//! ```no_run
//! use std::ffi::OsString;
//! use runpack::pack::{Host, Request, collect, write_layer};
//! let host = Host::new("/");
//! let request = Request::here(vec![OsString::from("sh"), OsString::from("ls")]);
//! let packed = collect(&host, &request)?;
//! let tar = write_layer(&host, &packed.tree, 0, Vec::new())?;
//! # Ok::<(), runpack::pack::PackError>(())
//! ```

mod add;
mod base;
mod cache;
#[cfg(feature = "cli")]
pub mod cli;
mod elf;
mod error;
mod host;
mod image;
mod layer;
mod ldconf;
mod link;
mod process;
mod program;
mod script;
mod tree;
mod words;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;

pub use add::Add;
pub use elf::host_architecture;
pub use error::{Call, PackError, Stray};
pub use host::{Host, Walk};
pub use image::{PackImage, Settings};
pub use layer::write_layer;
pub use link::{Linker, Need};
pub use program::search_path;
pub use tree::{Entry, Source, Tree};
pub use words::split_words;

use cache::Cache;
use elf::Object;
use script::Shebang;

/// As many scripts that interpret each other as the kernel goes through (`fs/exec.c`, `exec_binprm`).
const MAX_SCRIPTS: usize = 5;
const LD_SO_CACHE: &str = "/etc/ld.so.cache";

/// PATH of an image, as docker has it; directories of packed programs that it lacks are put to it.
const STANDARD_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// What is to be in the image, and how names in it are understood.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Names or paths.
    pub programs: Vec<OsString>,
    /// Files besides the programs and what they need.
    pub adds: Vec<Add>,
    /// Directories that must exist: the working directory, volumes.
    pub dirs: Vec<PathBuf>,
    /// Where bare names are looked up.
    pub search: Vec<PathBuf>,
    /// `LD_LIBRARY_PATH` of this process, for hints only.
    pub library_path: Vec<PathBuf>,
    /// `LD_LIBRARY_PATH` of the image: where its programs will look for libraries too.
    pub image_library_path: Vec<PathBuf>,
    /// What relative paths begin at.
    pub cwd: PathBuf,
}

impl Request {
    /// Programs looked up as this process would.
    pub fn here(programs: Vec<OsString>) -> Self {
        let list = |name| search_path(&std::env::var_os(name).unwrap_or_default());
        Self {
            programs,
            search: list("PATH"),
            library_path: list("LD_LIBRARY_PATH"),
            cwd: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
            ..Self::default()
        }
    }
}

/// What [`collect`] found.
#[derive(Debug)]
pub struct Packed {
    /// What the image will have in it.
    pub tree: Tree,
    /// Where each program of the request is in the image, in its order.
    pub programs: Vec<PathBuf>,
    /// Sockets and devices among what was added: an image cannot have them.
    pub left_out: Vec<PathBuf>,
    /// The image's PATH.
    pub path: OsString,
}

/// Finds everything that is to be in the image. Reads the host, changes nothing, executes nothing.
pub fn collect(host: &Host, request: &Request) -> Result<Packed, PackError> {
    let mut packer = Packer {
        host,
        request,
        linker: Linker::new(host, request.library_path.clone())
            .with_image_path(request.image_library_path.clone()),
        tree: base::base(host)?,
        done: HashSet::new(),
        path: ImagePath::default(),
    };
    let mut programs = Vec::new();
    for name in &request.programs {
        let path = packer.find(name)?;
        packer.program(&path, 0)?;
        programs.push(path);
    }
    packer.write_cache()?;
    let mut left_out = Vec::new();
    for add in &request.adds {
        add.apply(host, &request.cwd, &mut packer.tree, &mut left_out)?;
    }
    for dir in &request.dirs {
        let dir = packer.tree.resolve(dir)?;
        packer.tree.dir(&dir)?;
    }
    Ok(Packed {
        path: packer.path.joined(&request.search)?,
        tree: packer.tree,
        programs,
        left_out,
    })
}

struct Packer<'a> {
    host: &'a Host,
    request: &'a Request,
    linker: Linker<'a>,
    tree: Tree,
    /// Programs seen to, by their real paths.
    done: HashSet<PathBuf>,
    path: ImagePath,
}

impl Packer<'_> {
    fn find(&mut self, name: &OsStr) -> Result<PathBuf, PackError> {
        let path = program::find(self.host, name, &self.request.search, &self.request.cwd)?;
        self.path.note(
            &path,
            Path::new(name) == path.file_name().unwrap_or_default(),
        );
        Ok(path)
    }

    /// The program at a path, and all that it needs to start. `scripts` is how many scripts led here.
    fn program(&mut self, path: &Path, scripts: usize) -> Result<(), PackError> {
        let walk = self
            .host
            .walk(path)
            .map_err(|e| PackError::io(Call::Open, path, e))?;
        let given = || path.to_owned();
        if walk.metadata.is_dir() {
            return Err(PackError::IsDirectory { path: given() });
        }
        if !walk.metadata.is_file() {
            return Err(PackError::NotAFile { path: given() });
        }
        self.tree.add_walk(&walk)?;
        if scripts > MAX_SCRIPTS {
            return Err(PackError::TooDeep {
                path: given(),
                levels: MAX_SCRIPTS,
            });
        }
        if scripts == 0 && !self.done.insert(walk.real.clone()) {
            return Ok(());
        }
        let may_execute = self.host.is_program(&walk.real);
        let Some(object) = self.linker.object(&walk.real)? else {
            let shebang = Shebang::parse(path, &self.host.read(&walk.real)?)?;
            let Some(shebang) = shebang else {
                return Err(PackError::NotAProgram { path: given() });
            };
            if !may_execute {
                return Err(PackError::NotExecutable { path: given() });
            }
            return self.interpreter(path, &shebang, scripts);
        };
        if object.executable && !may_execute {
            return Err(PackError::NotExecutable { path: given() });
        }
        self.object(path, &object)
    }

    fn object(&mut self, path: &Path, object: &Rc<Object>) -> Result<(), PackError> {
        if !elf::runs_here(object.kind) {
            return Err(PackError::OtherMachine {
                path: path.to_owned(),
                theirs: elf::architecture(object.kind),
                ours: host_architecture(),
            });
        }
        if let Some(interpreter) = &object.interpreter {
            let walk = self
                .host
                .walk(interpreter)
                .map_err(|_| PackError::NoInterpreter {
                    path: path.to_owned(),
                    interpreter: interpreter.clone(),
                    foreign_class: object.kind.class == 1 && cfg!(target_pointer_width = "64"),
                })?;
            self.tree.add_walk(&walk)?;
        }
        for need in self.linker.needs(path, object)? {
            let walk = self
                .host
                .walk(&need.path)
                .map_err(|e| PackError::io(Call::Open, &need.path, e))?;
            self.tree.add_walk(&walk)?;
        }
        Ok(())
    }

    fn interpreter(
        &mut self,
        script: &Path,
        shebang: &Shebang,
        scripts: usize,
    ) -> Result<(), PackError> {
        if !self.host.is_program(&shebang.interpreter) {
            return Err(PackError::NoScriptInterpreter {
                path: script.to_owned(),
                interpreter: shebang.interpreter.clone(),
            });
        }
        self.program(&shebang.interpreter, scripts + 1)?;
        if let Some(name) = shebang.program_of_env(script)? {
            let found = self.find(&name).map_err(|error| match error {
                PackError::NoProgram { .. } => PackError::NoScriptInterpreter {
                    path: script.to_owned(),
                    interpreter: PathBuf::from(&name),
                },
                other => other,
            })?;
            self.program(&found, scripts + 1)?;
        }
        Ok(())
    }

    /// A library outside the default directories is found by the cache or not at all, in the image as here.
    fn write_cache(&mut self) -> Result<(), PackError> {
        let tree = &self.tree;
        let has = |path: &Path| {
            tree.resolve(path)
                .is_ok_and(|real| tree.get(&real).is_some())
        };
        let cache = self.linker.cache().and_then(|cache| cache.only(has));
        if let Some(bytes) = cache.as_ref().map(Cache::to_bytes) {
            let entry = Entry::Text { bytes, mode: 0o644 };
            self.tree.put(Path::new(LD_SO_CACHE), entry)?;
        }
        Ok(())
    }
}

/// The directories that the image's PATH must name besides the standard ones.
#[derive(Debug, Default)]
struct ImagePath {
    /// A program was looked up by its bare name and found here: env(1) will look it up again.
    looked_up: Vec<PathBuf>,
    /// A program was given by a path in here.
    given: Vec<PathBuf>,
}

impl ImagePath {
    fn note(&mut self, program: &Path, by_name: bool) {
        let Some(dir) = program.parent().map(Path::to_owned) else {
            return;
        };
        let known = [&self.looked_up, &self.given]
            .iter()
            .any(|list| list.contains(&dir));
        if known
            || STANDARD_PATH
                .iter()
                .any(|standard| dir == Path::new(standard))
        {
            return;
        }
        if by_name {
            &mut self.looked_up
        } else {
            &mut self.given
        }
        .push(dir);
    }

    /// What was looked up comes first and in the order of this machine's PATH, so that the same program wins.
    fn joined(mut self, search: &[PathBuf]) -> Result<OsString, PackError> {
        self.looked_up
            .sort_by_key(|dir| search.iter().position(|d| d == dir));
        let standard = STANDARD_PATH.map(PathBuf::from);
        let all = self.looked_up.into_iter().chain(standard).chain(self.given);
        // A directory with a colon in its name cannot be in a PATH.
        let all = all.filter(|dir| !dir.as_os_str().as_encoded_bytes().contains(&b':'));
        std::env::join_paths(all).map_err(|_| PackError::BadValue {
            flag: "--env",
            value: "PATH".into(),
            reason: "a directory has a colon in its name",
        })
    }
}
