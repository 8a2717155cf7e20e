//! What an ELF object asks of the machine it runs on: its interpreter, the libraries it needs and where it wants them looked for.
//! Read from the program headers and the dynamic section alone, as ld.so(8) does: section headers may be stripped.
//! The object is never executed, which is what ldd(1) does.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use goblin::container::Ctx;
use goblin::elf::dynamic::{DF_1_NODEFLIB, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, Dynamic};
use goblin::elf::header::{ELFMAG, ET_EXEC};
use goblin::elf::program_header::{PT_INTERP, ProgramHeader};
use goblin::elf::{Elf, Header};

/// What tells whether one object may be loaded into another's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// 1 for 32 bits, 2 for 64: `e_ident[EI_CLASS]`.
    pub class: u8,
    /// `e_machine`, the instruction set.
    pub machine: u16,
}

/// The part of an ELF file that the dynamic loader goes by.
#[derive(Debug, Clone)]
pub struct Object {
    pub kind: Kind,
    /// It can be started by execve(2), not only loaded by another.
    pub executable: bool,
    pub interpreter: Option<PathBuf>,
    pub needed: Vec<OsString>,
    pub soname: Option<OsString>,
    pub rpath: Vec<OsString>,
    pub runpath: Vec<OsString>,
    /// `ld -z nodefaultlib`: the default directories are not for this object's needs.
    pub no_default_dirs: bool,
}

impl Object {
    /// `None` if the bytes are not those of an ELF file at all.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, goblin::error::Error> {
        if !bytes.starts_with(ELFMAG) {
            return Ok(None);
        }
        let header = Elf::parse_header(bytes)?;
        let ctx = Ctx::new(header.container()?, header.endianness()?);
        let segments = ProgramHeader::parse(
            bytes,
            header.e_phoff as usize,
            usize::from(header.e_phnum),
            ctx,
        )?;
        let mut object = Self::bare(&header);
        object.interpreter = segments
            .iter()
            .find(|s| s.p_type == PT_INTERP)
            .and_then(|s| bytes.get(s.p_offset as usize..))
            .and_then(c_string)
            .map(PathBuf::from);
        object.executable |= object.interpreter.is_some();
        if let Some(dynamic) = Dynamic::parse(bytes, &segments, ctx)? {
            object.read_dynamic(&dynamic, bytes);
        }
        Ok(Some(object))
    }

    fn bare(header: &Header) -> Self {
        Self {
            kind: Kind {
                class: header.e_ident[4],
                machine: header.e_machine,
            },
            executable: header.e_type == ET_EXEC,
            interpreter: None,
            needed: Vec::new(),
            soname: None,
            rpath: Vec::new(),
            runpath: Vec::new(),
            no_default_dirs: false,
        }
    }

    fn read_dynamic(&mut self, dynamic: &Dynamic, bytes: &[u8]) {
        let strings = bytes.get(dynamic.info.strtab..).unwrap_or_default();
        let string = |at: u64| strings.get(at as usize..).and_then(c_string);
        for entry in &dynamic.dyns {
            match entry.d_tag {
                DT_NEEDED => self.needed.extend(string(entry.d_val)),
                DT_SONAME => self.soname = string(entry.d_val),
                DT_RPATH => self.rpath = search_list(string(entry.d_val)),
                DT_RUNPATH => self.runpath = search_list(string(entry.d_val)),
                _ => {}
            }
        }
        self.no_default_dirs = dynamic.info.flags_1 & DF_1_NODEFLIB != 0;
    }

    /// It was linked to be started through the dynamic loader, or to be loaded by it.
    pub fn is_dynamic(&self) -> bool {
        self.interpreter.is_some() || !self.needed.is_empty()
    }
}

/// The parts of a colon-separated list of directories. An empty part means the current directory to ld.so: an image has none.
fn search_list(text: Option<OsString>) -> Vec<OsString> {
    text.unwrap_or_default()
        .as_bytes()
        .split(|b| *b == b':')
        .filter(|part| !part.is_empty())
        .map(|part| OsStr::from_bytes(part).to_owned())
        .collect()
}

fn c_string(bytes: &[u8]) -> Option<OsString> {
    let end = bytes.iter().position(|b| *b == 0)?;
    (end > 0).then(|| OsStr::from_bytes(&bytes[..end]).to_owned())
}

/// The name of an instruction set as `GOARCH`, and so an image's configuration, has it.
pub fn architecture(kind: Kind) -> &'static str {
    use goblin::elf::header as h;
    match (kind.machine, kind.class) {
        (h::EM_X86_64, _) => "amd64",
        (h::EM_386, _) => "386",
        (h::EM_AARCH64, _) => "arm64",
        (h::EM_ARM, _) => "arm",
        (h::EM_RISCV, 2) => "riscv64",
        (h::EM_S390, _) => "s390x",
        (h::EM_PPC64, _) => "ppc64le",
        (h::EM_LOONGARCH, _) => "loong64",
        _ => "another machine",
    }
}

/// This machine's own name, in the same words.
pub fn host_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// Whether this machine's kernel starts such a program by itself, without an emulator.
pub fn runs_here(kind: Kind) -> bool {
    matches!(
        (architecture(kind), host_architecture()),
        ("386", "amd64") | ("arm", "arm64")
    ) || architecture(kind) == host_architecture()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_binary_is_an_executable_for_this_machine() {
        let me = std::fs::read("/proc/self/exe").unwrap();
        let object = Object::parse(&me).unwrap().unwrap();
        assert!(object.executable);
        assert!(runs_here(object.kind));
        assert_eq!(architecture(object.kind), host_architecture());
    }

    #[test]
    fn text_is_not_elf_and_a_cut_off_elf_is_an_error() {
        assert!(Object::parse(b"#!/bin/sh\n").unwrap().is_none());
        assert!(Object::parse(b"\x7fELF\x02\x01\x01").is_err());
    }

    #[test]
    fn an_empty_part_of_a_search_list_is_dropped() {
        assert_eq!(
            search_list(Some(":/a::$ORIGIN/../b:".into())),
            ["/a", "$ORIGIN/../b"]
        );
    }
}
