//! Whose a namespace is, as far as its name tells. The names of ip-netns(8) are everybody's, and nothing can mark the
//! empty file that stands for one; but container engines draw names of a form of their own.

use crate::Netns;

/// What stands before a UUID, and which program makes such names.
const DRAWN: [(&str, &str); 8] = [
    ("", "CRI-O"),
    ("cni-", "CNI"),
    ("netns-", "podman"),
    ("qrouter-", "OpenStack"),
    ("qdhcp-", "OpenStack"),
    ("snat-", "OpenStack"),
    ("fip-", "OpenStack"),
    ("ovnmeta-", "OpenStack"),
];

impl Netns {
    /// The container engine that keeps this namespace for itself, by the form of its name; `None` for a name that anybody
    /// may have given.
    pub fn owner(&self) -> Option<&'static str> {
        owner(self.name()?)
    }
}

pub(crate) fn owner(name: &str) -> Option<&'static str> {
    const UUID_BYTES: usize = 36;
    let (word, uuid) = name.split_at_checked(name.len().checked_sub(UUID_BYTES)?)?;
    let drawn = DRAWN.iter().find(|(before, _)| *before == word);
    drawn.filter(|_| is_uuid(uuid)).map(|(_, program)| *program)
}

fn is_uuid(text: &str) -> bool {
    let digits = |byte: u8| byte == b'-' || byte.is_ascii_hexdigit();
    text.split('-').map(str::len).eq([8_usize, 4, 4, 4, 12]) && text.bytes().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "0b2ad1f0-1c2d-4e5f-8a9b-0123456789ab";

    #[test]
    fn a_name_that_a_program_drew_is_that_programs() {
        let of = |text: &str| Netns::parse(text).unwrap().owner();
        assert_eq!(of(&format!("cni-{UUID}")), Some("CNI"));
        assert_eq!(of(&format!("/run/netns/netns-{UUID}")), Some("podman"));
        assert_eq!(of(UUID), Some("CRI-O"));
        for anybodys in [
            "blue".to_owned(),
            "cni-blue".to_owned(),
            format!("lab-{UUID}"),
            format!("cni-{}", UUID.replace('f', "g")),
            format!("cni-{}", UUID.replace('-', "0")),
            format!("é{}", &UUID[1..]),
            format!("/proc/7/{UUID}"),
        ] {
            assert_eq!(of(&anybodys), None, "{anybodys}");
        }
    }
}
