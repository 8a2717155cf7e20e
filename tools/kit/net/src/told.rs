//! Netlink messages by their names, for `--explain=calls`.

/// A request for a reader: `netlink RTM_NEWLINK|NLM_F_CREATE: creating link "eth0"`.
pub(crate) fn told(bytes: &[u8], doing: &str) -> String {
    const NAMES: [(u16, &str); 12] = [
        (16, "RTM_NEWLINK"),
        (17, "RTM_DELLINK"),
        (18, "RTM_GETLINK"),
        (19, "RTM_SETLINK"),
        (20, "RTM_NEWADDR"),
        (21, "RTM_DELADDR"),
        (22, "RTM_GETADDR"),
        (24, "RTM_NEWROUTE"),
        (25, "RTM_DELROUTE"),
        (26, "RTM_GETROUTE"),
        (88, "RTM_NEWNSID"),
        (90, "RTM_GETNSID"),
    ];
    const TABLES: [(u16, &str); 14] = [
        (0, "NFT_MSG_NEWTABLE"),
        (1, "NFT_MSG_GETTABLE"),
        (2, "NFT_MSG_DELTABLE"),
        (3, "NFT_MSG_NEWCHAIN"),
        (4, "NFT_MSG_GETCHAIN"),
        (5, "NFT_MSG_DELCHAIN"),
        (6, "NFT_MSG_NEWRULE"),
        (7, "NFT_MSG_GETRULE"),
        (8, "NFT_MSG_DELRULE"),
        (9, "NFT_MSG_NEWSET"),
        (10, "NFT_MSG_GETSET"),
        (12, "NFT_MSG_NEWSETELEM"),
        (13, "NFT_MSG_GETSETELEM"),
        (14, "NFT_MSG_DELSETELEM"),
    ];
    /// `NFNL_SUBSYS_NFTABLES`, in the high byte of a type.
    const NFTABLES: u16 = 10 << 8;
    let half = |at: usize| {
        let both = bytes.get(at..at + 2).and_then(|both| both.try_into().ok());
        both.map_or(0, u16::from_ne_bytes)
    };
    let (kind, flags) = (half(4), half(6));
    let known = |names: &[(u16, &'static str)], kind: u16| {
        names
            .iter()
            .find(|(of, _)| *of == kind)
            .map(|(_, name)| *name)
    };
    let name = if kind & 0xff00 == NFTABLES {
        known(&TABLES, kind & 0xff)
    } else {
        known(&NAMES, kind)
    };
    let mut text = name.map_or_else(|| format!("message {kind:#x}"), str::to_owned);
    // A question's flags of the same bits are others.
    if !text.contains("_GET") {
        for (bit, name) in [(0x200, "NLM_F_EXCL"), (0x400, "NLM_F_CREATE")] {
            if flags & bit != 0 {
                text = format!("{text}|{name}");
            }
        }
    }
    format!("netlink {text}: {doing}")
}
