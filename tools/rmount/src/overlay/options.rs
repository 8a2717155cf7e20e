//! An overlay's options as text: composed with their escapes for mount(2), and read back from mountinfo.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{Lowers, Overlay, Upper};
use crate::mountinfo::Mount;

/// The smallest page that any kernel of ours has.
const PAGE: usize = 4096;

/// Whether mount(2) takes all of it: it copies one page and cuts the rest off without a word.
pub fn fits_mount2(data: &CString) -> bool {
    data.as_bytes_with_nul().len() <= PAGE
}

impl Overlay {
    /// The options as `mount -o` and mount(2) take them. A path with a NUL in it ends there, and is then found
    /// missing; no path of a kernel's has one.
    pub fn data(&self) -> CString {
        let mut data = b"lowerdir=".to_vec();
        for (index, lower) in self.lowers.iter().enumerate() {
            if index > 0 {
                data.push(b':');
            }
            escape(lower, b":,\\", &mut data);
        }
        if let Some(Upper { upper, work }) = &self.upper {
            for (key, path) in [(",upperdir=", upper), (",workdir=", work)] {
                data.extend_from_slice(key.as_bytes());
                // Not the colon: the upper is one path, and before Linux 6.5 `\:` was not undone there.
                escape(path, b",\\", &mut data);
            }
        }
        for (key, value) in self.switches() {
            data.push(b',');
            data.extend_from_slice(key.as_bytes());
            if let Some(value) = value {
                data.push(b'=');
                data.extend_from_slice(value.as_bytes());
            }
        }
        let end = data
            .iter()
            .position(|byte| *byte == 0)
            .unwrap_or(data.len());
        data.truncate(end);
        CString::new(data).unwrap_or_default()
    }

    /// What is not a path, in the kernel's words.
    pub(super) fn switches(&self) -> Vec<(&'static str, Option<&'static str>)> {
        let on_off = |on: bool| Some(if on { "on" } else { "off" });
        let options = &self.options;
        let mut out = Vec::new();
        if let Some(on) = options.redirect_dir {
            out.push(("redirect_dir", on_off(on)));
        }
        if let Some(on) = options.metacopy {
            out.push(("metacopy", on_off(on)));
        }
        if self.upper.is_some() {
            out.push(("index", on_off(options.index)));
            if options.volatile {
                out.push(("volatile", None));
            }
        }
        if options.userxattr {
            out.push(("userxattr", None));
        }
        out
    }
}

/// An upper or a work directory for fsconfig(2), which splits at nothing and still undoes escapes there.
pub fn escaped(path: &Path) -> OsString {
    let mut out = Vec::new();
    escape(path, b"\\", &mut out);
    OsString::from_vec(out)
}

fn escape(path: &Path, special: &[u8], into: &mut Vec<u8>) {
    for byte in path.as_os_str().as_bytes() {
        if special.contains(byte) {
            into.push(b'\\');
        }
        into.push(*byte);
    }
}

/// The lowers and the upper and work of a mounted overlay, as its mounter named them: relative
/// if he did. `None` for another filesystem.
pub fn layers_of(mount: &Mount) -> Option<(Lowers, Option<Upper>)> {
    if mount.fstype != "overlay" {
        return None;
    }
    // `lowerdir=A:B` with escapes is mount(2)'s; `lowerdir+=A`, one a layer and without, the new API's.
    let mut lowers: Vec<PathBuf> = mount
        .super_values("lowerdir")
        .iter()
        .flat_map(|all| split(all))
        .collect();
    lowers.extend(
        mount
            .super_values("lowerdir+")
            .into_iter()
            .map(PathBuf::from),
    );
    let one = |key| mount.super_values(key).into_iter().next();
    let upper = one("upperdir").zip(one("workdir"));
    Some((
        Lowers::topmost_first(lowers),
        upper.map(|(upper, work)| Upper {
            upper: unescaped(&upper),
            work: unescaped(&work),
        }),
    ))
}

/// Splits at the colons that no backslash protects. `::` announces data-only layers, which are dropped.
fn split(all: &OsStr) -> Vec<PathBuf> {
    let mut out: Vec<Vec<u8>> = vec![Vec::new()];
    let mut bytes = all.as_bytes().iter();
    while let Some(byte) = bytes.next() {
        match (byte, out.last_mut()) {
            (b'\\', Some(last)) => last.extend(bytes.next()),
            (b':', Some(last)) if last.is_empty() => break,
            (b':', _) => out.push(Vec::new()),
            (_, Some(last)) => last.push(*byte),
            (_, None) => {}
        }
    }
    out.retain(|layer| !layer.is_empty());
    out.into_iter()
        .map(|layer| PathBuf::from(OsString::from_vec(layer)))
        .collect()
}

/// Upper and work are shown as they were written, by mount(2) or the new API, and the kernel took the backslashes of
/// both away.
fn unescaped(shown: &OsStr) -> PathBuf {
    let mut out = Vec::new();
    let mut bytes = shown.as_bytes().iter();
    while let Some(byte) = bytes.next() {
        out.push(if *byte == b'\\' {
            *bytes.next().unwrap_or(byte)
        } else {
            *byte
        });
    }
    OsString::from_vec(out).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mountinfo::parse;
    use crate::overlay::OverlayOptions;

    fn overlay(lowers: &[&str], upper: Option<(&str, &str)>) -> Overlay {
        Overlay {
            lowers: Lowers::topmost_first(lowers),
            upper: upper.map(|(upper, work)| Upper {
                upper: upper.into(),
                work: work.into(),
            }),
            options: OverlayOptions::default(),
        }
    }

    #[test]
    fn separators_in_paths_are_escaped() {
        let data = overlay(&["/a:b", "/c,d\\e"], Some(("/u:,", "/w"))).data();
        assert_eq!(
            data.to_str(),
            Ok(r"lowerdir=/a\:b:/c\,d\\e,upperdir=/u:\,,workdir=/w,index=off")
        );
    }

    #[test]
    fn switches_are_the_kernels_words() {
        let mut ov = overlay(&["/l"], Some(("/u", "/w")));
        ov.options = OverlayOptions {
            redirect_dir: Some(false),
            metacopy: Some(true),
            index: true,
            userxattr: true,
            volatile: true,
            ..OverlayOptions::default()
        };
        let data = ov.data();
        assert!(
            data.to_str()
                .unwrap()
                .ends_with(",redirect_dir=off,metacopy=on,index=on,volatile,userxattr")
        );
        ov.upper = None;
        assert_eq!(
            ov.data().to_str(),
            Ok("lowerdir=/l,redirect_dir=off,metacopy=on,userxattr")
        );
    }

    #[test]
    fn what_mountinfo_shows_is_read_back() {
        let line = |options: &str| {
            parse(format!("1 0 0:9 / /m rw - overlay ov {options}\n").as_bytes())
                .unwrap()
                .remove(0)
        };
        let old =
            line("rw,lowerdir=/l1:/a\\134\\054b:/a\\134:b,upperdir=/nope\\134\\054x,workdir=/w");
        let (lowers, upper) = layers_of(&old).unwrap();
        assert_eq!(lowers, Lowers::topmost_first(["/l1", "/a,b", "/a:b"]));
        assert_eq!(upper.unwrap().upper, Path::new("/nope,x"));
        let new = line("ro,lowerdir+=/l1,lowerdir+=/a:b");
        assert_eq!(
            layers_of(&new).unwrap(),
            (Lowers::topmost_first(["/l1", "/a:b"]), None)
        );
    }
}
