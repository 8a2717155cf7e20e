//! Hints for what any tool may run into, where the error itself has none: capabilities or netlink that were
//! taken away, roots that cannot be written to.

use kit_plan::Roots;

/// What docker's default set and the building of a container need, by number: see capabilities(7).
const NEEDED: [(u32, &str); 12] = [
    (0, "CAP_CHOWN"),
    (1, "CAP_DAC_OVERRIDE"),
    (3, "CAP_FOWNER"),
    (5, "CAP_KILL"),
    (6, "CAP_SETGID"),
    (7, "CAP_SETUID"),
    (8, "CAP_SETPCAP"),
    (12, "CAP_NET_ADMIN"),
    (18, "CAP_SYS_CHROOT"),
    (19, "CAP_SYS_PTRACE"),
    (21, "CAP_SYS_ADMIN"),
    (27, "CAP_MKNOD"),
];

/// The way out of `text`, an error line, by the errno that it ends with.
pub(crate) fn of(text: &str) -> Option<String> {
    if text.contains("Operation not permitted") || text.contains("Permission denied") {
        return privilege(&std::fs::read_to_string("/proc/self/status").ok()?);
    }
    if text.contains("netlink socket: Address family not supported") {
        return Some("this kernel, or the sandbox that we run in, has no such netlink".to_owned());
    }
    let roots = Roots::from_env().ok()?;
    let (variable, root) = [("BOXKIT_ROOT", &roots.root), ("BOXKIT_RUN", &roots.run)]
        .into_iter()
        .find(|(_, root)| text.contains(root.to_str().unwrap_or("\0")))?;
    let root = root.display();
    if text.contains("No space left on device") {
        return Some(format!(
            "{root} is full: rrun rm, rrun rmi and rrun gc make room, or {variable} moves it elsewhere"
        ));
    }
    text.contains("Read-only file system")
        .then(|| format!("{root} is on a read-only file system: {variable} moves it elsewhere"))
}

/// What a process of this `/proc/PID/status` lacks; `None` if it has all of [`NEEDED`].
fn privilege(status: &str) -> Option<String> {
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let user = field("Uid:")?.split_ascii_whitespace().nth(1)?;
    let set = u64::from_str_radix(field("CapEff:")?.trim(), 16).ok()?;
    let missing: Vec<&str> = NEEDED
        .iter()
        .filter(|(number, _)| set >> number & 1 == 0)
        .map(|(_, name)| *name)
        .collect();
    match (user, missing.join(", ")) {
        ("0", missing) if missing.is_empty() => None,
        ("0", missing) => Some(format!(
            "root without {missing}: run it outside the sandbox that took that away; see rrun doctor"
        )),
        _ => Some("run it with sudo".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_lacks_is_named() {
        let status = |user, set| format!("Name:\tx\nUid:\t{user}\t{user}\t0\t0\nCapEff:\t{set}\n");
        assert_eq!(privilege(&status(0, "000001ffffffffff")), None);
        let said = privilege(&status(0, "000001fff7dfffff")).unwrap();
        assert!(
            said.starts_with("root without CAP_SYS_ADMIN, CAP_MKNOD: "),
            "{said}"
        );
        let said = privilege(&status(1000, "0000000000000000")).unwrap();
        assert_eq!(said, "run it with sudo");
    }
}
