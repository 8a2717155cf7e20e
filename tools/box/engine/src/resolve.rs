//! `-u USER[:GROUP]` against the container's own /etc/passwd and /etc/group, by docker's rules and without NSS.
//!
//! It takes the files' contents, so that the caller opens them beneath the container's root. They are bytes: a name that is
//! no UTF-8 does not keep the other lines from being read.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Why `USER[:GROUP]` cannot be resolved, in docker's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    #[error("uids and gids must be in range 0-2147483647")]
    IdRange,
    #[error("unable to find {what} {name}: {path} of the container {why}")]
    Refused {
        what: &'static str,
        name: String,
        path: &'static str,
        why: &'static str,
    },
}

impl kit_plan::Fault for UserError {}

/// Who the program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedUser {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups: the primary one, then those of /etc/group in its order, unless a group was named. Without the
    /// primary one, a set-group-ID program would escape what a file denies to that group (CVE-2022-36109).
    pub groups: Vec<u32>,
    /// The value of `HOME`; `/` for a user who is not in passwd.
    pub home: OsString,
}

/// Docker's largest ID; the kernel's have 32 bits.
pub(crate) const MAX_ID: u32 = 0x7fff_ffff;

/// No user's and no group's: chown(2) and setresuid(2) take it for "no change", and a program would stay who this one is.
pub(crate) const NO_ID: u32 = u32::MAX;

struct Entry<'a> {
    name: &'a [u8],
    uid: u32,
    gid: u32,
    home: &'a [u8],
}

/// The fields of each line that has a name and is no comment.
fn entries(file: &[u8]) -> impl Iterator<Item = std::slice::Split<'_, u8, fn(&u8) -> bool>> {
    let colon: fn(&u8) -> bool = |byte| *byte == b':';
    file.split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !matches!(line.first(), None | Some(b':' | b'#')))
        .map(move |line| line.split(colon))
}

fn number(field: &[u8]) -> Option<u32> {
    let number = std::str::from_utf8(field).ok()?.parse().ok();
    number.filter(|number| *number != NO_ID)
}

fn passwd_lines(passwd: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    entries(passwd).filter_map(|mut fields| {
        let name = fields.next()?;
        let uid = number(fields.nth(1)?)?;
        let gid = number(fields.next()?)?;
        Some(Entry {
            name,
            uid,
            gid,
            home: fields.nth(1).unwrap_or_default(),
        })
    })
}

/// Name, gid and members of each group.
fn group_lines(group: &[u8]) -> impl Iterator<Item = (&[u8], u32, &[u8])> {
    entries(group).filter_map(|mut fields| {
        let name = fields.next()?;
        let gid = number(fields.nth(1)?)?;
        Some((name, gid, fields.next().unwrap_or_default()))
    })
}

fn has_member(members: &[u8], name: &[u8]) -> bool {
    let mut each = members.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    each.any(|member| member == name)
}

/// A number is an ID even where a user has it for a name; one that is in no file is taken as it is.
pub fn resolve_user(text: &[u8], passwd: &[u8], group: &[u8]) -> Result<ResolvedUser, UserError> {
    let mut parts = text.splitn(2, |byte| *byte == b':');
    let mut part = || parts.next().unwrap_or_default();
    let (user, wanted_group) = (part(), part());
    let number = id(user)?;
    let entry = passwd_lines(passwd).find(|entry| match (user, number) {
        (b"", _) => entry.uid == 0,
        (_, Some(uid)) => entry.uid == uid,
        _ => entry.name == user,
    });
    let (mut found, name) = match entry {
        Some(entry) => {
            let home = if entry.home.is_empty() {
                b"/"
            } else {
                entry.home
            };
            let found = ResolvedUser {
                uid: entry.uid,
                gid: entry.gid,
                groups: Vec::new(),
                home: OsStr::from_bytes(home).into(),
            };
            (found, entry.name)
        }
        None if user.is_empty() || number.is_some() => {
            let uid = number.unwrap_or(0);
            (
                ResolvedUser {
                    uid,
                    gid: 0,
                    groups: Vec::new(),
                    home: "/".into(),
                },
                &[][..],
            )
        }
        None => return Err(UserError::NoUser(shown(user))),
    };
    if wanted_group.is_empty() {
        if !name.is_empty() {
            found.groups = group_lines(group)
                .filter(|(_, _, members)| has_member(members, name))
                .map(|(_, gid, _)| gid)
                .collect();
        }
    } else {
        found.gid = resolve_group(wanted_group, group)?;
    }
    if !found.groups.contains(&found.gid) {
        found.groups.insert(0, found.gid);
    }
    Ok(found)
}

/// A group's number: also for `--group-add`.
pub fn resolve_group(text: &[u8], group: &[u8]) -> Result<u32, UserError> {
    if let Some(gid) = id(text)? {
        return Ok(gid);
    }
    group_lines(group)
        .find(|(name, ..)| *name == text)
        .map(|(_, gid, _)| gid)
        .ok_or_else(|| UserError::NoGroup(shown(text)))
}

/// A name in a message.
fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn id(text: &[u8]) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let number = std::str::from_utf8(text).ok().map(str::parse::<u32>);
    match number {
        Some(Ok(id)) if id <= MAX_ID => Ok(Some(id)),
        _ => Err(UserError::IdRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &[u8] = b"# users\nJos\xe9:x:9:9::/home/jos\xe9:\nroot:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34:w:/var/www:/bin/sh\n1000:x:7:7::/odd:\n";
    const GROUP: &[u8] =
        b"Caf\xe9:x:9:\xe9\nroot:x:0:\nwww:x:34:\nlog:x:4:adm, web\ndisk:x:6:web,x\n";

    fn who(text: &str) -> Result<(u32, u32, Vec<u32>, String), String> {
        resolve_user(text.as_bytes(), PASSWD, GROUP)
            .map(|u| {
                (
                    u.uid,
                    u.gid,
                    u.groups,
                    u.home.to_string_lossy().into_owned(),
                )
            })
            .map_err(|e| e.to_string())
    }

    #[test]
    fn by_name_and_number() {
        assert_eq!(who(""), Ok((0, 0, vec![0], "/root".into())));
        assert_eq!(who("web"), Ok((33, 34, vec![34, 4, 6], "/var/www".into())));
        assert_eq!(who("33"), Ok((33, 34, vec![34, 4, 6], "/var/www".into())));
        assert_eq!(who("web:disk"), Ok((33, 6, vec![6], "/var/www".into())));
        assert_eq!(who("web:99"), Ok((33, 99, vec![99], "/var/www".into())));
        assert_eq!(who("4242"), Ok((4242, 0, vec![0], "/".into())));
        assert_eq!(
            who("1000"),
            Ok((1000, 0, vec![0], "/".into())),
            "a number is never a name"
        );
        assert_eq!(who(":disk"), Ok((0, 6, vec![6], "/root".into())));
        // Of what is no UTF-8 nothing is lost, and nothing beside it.
        for text in [b"9".as_slice(), b"Jos\xe9:Caf\xe9"] {
            let found = resolve_user(text, PASSWD, GROUP).unwrap();
            assert_eq!((found.uid, found.gid), (9, 9), "{text:?}");
            assert_eq!(found.home.as_bytes(), b"/home/jos\xe9", "{text:?}");
        }
        let unknown = resolve_user(b"x\xe9", PASSWD, GROUP);
        assert_eq!(unknown, Err(UserError::NoUser("x\u{fffd}".to_owned())));
    }

    /// To chown(2) and setresuid(2) the number means "no change".
    #[test]
    fn a_line_with_a_number_of_nobodys_is_none() {
        let all_ones = b"ghost:x:4294967295:0::/:\ncrowd:x:0:4294967295::/:\n";
        for name in ["ghost", "crowd"] {
            let wanted = Err(UserError::NoUser(name.to_owned()));
            assert_eq!(resolve_user(name.as_bytes(), all_ones, b""), wanted);
        }
        let group = resolve_group(b"crowd", b"crowd:x:4294967295:");
        assert_eq!(group, Err(UserError::NoGroup("crowd".to_owned())));
    }

    #[test]
    fn without_files() {
        let user = resolve_user(b"", b"", b"").unwrap();
        assert_eq!((user.uid, user.gid), (0, 0));
        assert_eq!(user.home, "/");
        assert_eq!(resolve_user(b"5:6", b"", b"").unwrap().gid, 6);
    }

    #[test]
    fn errors_are_dockers() {
        assert_eq!(
            who("x"),
            Err("unable to find user x: no matching entries in passwd file".into())
        );
        assert_eq!(
            who("web:x"),
            Err("unable to find group x: no matching entries in group file".into())
        );
        assert_eq!(
            who("2147483648"),
            Err("uids and gids must be in range 0-2147483647".into())
        );
        assert_eq!(
            who("0:99999999999"),
            Err("uids and gids must be in range 0-2147483647".into())
        );
    }
}
