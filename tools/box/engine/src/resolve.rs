//! `-u USER[:GROUP]` against the container's own /etc/passwd and /etc/group, by docker's rules and without NSS.
//!
//! Takes the files' contents, so that whoever opens them does so beneath the container's root.

/// What `-u` names that the container's files do not have, in docker's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("unable to find user {0}: no matching entries in passwd file")]
    NoUser(String),
    #[error("unable to find group {0}: no matching entries in group file")]
    NoGroup(String),
    #[error("uids and gids must be in range 0-2147483647")]
    IdRange,
}

impl kit_plan::Fault for UserError {}

/// Who the program runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedUser {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, in /etc/group's order; none when a group was named.
    pub groups: Vec<u32>,
    /// For `HOME`; `/` for a user who is not in passwd.
    pub home: String,
}

/// The kernel's IDs are wider, docker's are not.
const MAX_ID: u32 = 0x7fff_ffff;

struct Entry<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

fn passwd_lines(passwd: &str) -> impl Iterator<Item = Entry<'_>> {
    passwd.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields
            .next()
            .filter(|n| !n.is_empty() && !n.starts_with('#'))?;
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Entry {
            name,
            uid,
            gid,
            home: fields.nth(1).unwrap_or(""),
        })
    })
}

/// Name, gid and members of each group.
fn group_lines(group: &str) -> impl Iterator<Item = (&str, u32, &str)> {
    group.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let name = fields
            .next()
            .filter(|n| !n.is_empty() && !n.starts_with('#'))?;
        let gid = fields.nth(1)?.parse().ok()?;
        Some((name, gid, fields.next().unwrap_or("")))
    })
}

/// A number is an ID even where a user has it for a name; one that is in no file is taken as it is.
pub fn resolve_user(text: &str, passwd: &str, group: &str) -> Result<ResolvedUser, UserError> {
    let (user, wanted_group) = text.split_once(':').unwrap_or((text, ""));
    let number = id(user)?;
    let entry = passwd_lines(passwd).find(|entry| match (user, number) {
        ("", _) => entry.uid == 0,
        (_, Some(uid)) => entry.uid == uid,
        _ => entry.name == user,
    });
    let (mut found, name) = match entry {
        Some(entry) => {
            let home = if entry.home.is_empty() {
                "/"
            } else {
                entry.home
            };
            let found = ResolvedUser {
                uid: entry.uid,
                gid: entry.gid,
                groups: Vec::new(),
                home: home.into(),
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
                "",
            )
        }
        None => return Err(UserError::NoUser(user.into())),
    };
    if wanted_group.is_empty() {
        if !name.is_empty() {
            found.groups = group_lines(group)
                .filter(|(_, _, members)| members.split(',').any(|m| m.trim() == name))
                .map(|(_, gid, _)| gid)
                .collect();
        }
    } else {
        found.gid = resolve_group(wanted_group, group)?;
    }
    Ok(found)
}

/// A group's number: also for `--group-add`.
pub fn resolve_group(text: &str, group: &str) -> Result<u32, UserError> {
    if let Some(gid) = id(text)? {
        return Ok(gid);
    }
    group_lines(group)
        .find(|(name, ..)| *name == text)
        .map(|(_, gid, _)| gid)
        .ok_or_else(|| UserError::NoGroup(text.into()))
}

fn id(text: &str) -> Result<Option<u32>, UserError> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= MAX_ID => Ok(Some(id)),
        _ => Err(UserError::IdRange),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "# users\nroot:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:33:34:w:/var/www:/bin/sh\n1000:x:7:7::/odd:\n";
    const GROUP: &str = "root:x:0:\nwww:x:34:\nlog:x:4:adm, web\ndisk:x:6:web,x\n";

    fn who(text: &str) -> Result<(u32, u32, Vec<u32>, String), String> {
        resolve_user(text, PASSWD, GROUP)
            .map(|u| (u.uid, u.gid, u.groups, u.home))
            .map_err(|e| e.to_string())
    }

    #[test]
    fn by_name_and_number() {
        assert_eq!(who(""), Ok((0, 0, vec![], "/root".into())));
        assert_eq!(who("web"), Ok((33, 34, vec![4, 6], "/var/www".into())));
        assert_eq!(who("33"), Ok((33, 34, vec![4, 6], "/var/www".into())));
        assert_eq!(who("web:disk"), Ok((33, 6, vec![], "/var/www".into())));
        assert_eq!(who("web:99"), Ok((33, 99, vec![], "/var/www".into())));
        assert_eq!(who("4242"), Ok((4242, 0, vec![], "/".into())));
        assert_eq!(
            who("1000"),
            Ok((1000, 0, vec![], "/".into())),
            "a number is never a name"
        );
        assert_eq!(who(":disk"), Ok((0, 6, vec![], "/root".into())));
    }

    #[test]
    fn without_files() {
        let user = resolve_user("", "", "").unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_str()), (0, 0, "/"));
        assert_eq!(resolve_user("5:6", "", "").unwrap().gid, 6);
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
