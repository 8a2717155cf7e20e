//! Somebody else's FORWARD chain that drops: no accept of ours undoes that, so it is named, with the command
//! that lets our bridge through. Docker installs such a chain, and so do ufw and firewalld.
//!
//! Only what nftables knows is seen, iptables-nft included; the old iptables-legacy tables are not.

use kit_net::Nft;
use kit_net::nft::{ChainInfo, Family, InetHookNumber};
use serde::Serialize;

use crate::BridgeError;

/// A chain that drops what it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// As nft(8) writes it: `ip filter FORWARD`.
    pub chain: String,
    /// Whose it is, where that can be told: `docker`, `ufw`, `firewalld`.
    pub owner: Option<&'static str>,
    /// Lets what comes from and goes to the bridge pass.
    pub command: String,
}

impl Blocker {
    /// What it does to the bridge, and the way out.
    pub fn told(&self, bridge: &str) -> (String, &str) {
        let owner = self.owner.map(|owner| format!(" ({owner}'s)"));
        let (chain, owner) = (&self.chain, owner.unwrap_or_default());
        let text = format!("chain \"{chain}\"{owner} drops what this host forwards for {bridge}");
        (text, &self.command)
    }
}

/// The chains of others at the forward hook whose policy is to drop, but for those with a rule about this bridge: there
/// somebody has decided.
pub fn forward_blockers(nft: &Nft, bridge: &str) -> Result<Vec<Blocker>, BridgeError> {
    let chains = nft.chains()?;
    let ours = |name: &str| name == "boxkit" || name.starts_with("boxkit-");
    let drops = |chain: &&ChainInfo| {
        chain.hook == Some(InetHookNumber::Forward)
            && chain.policy_drop
            && matches!(chain.table.family, Family::Ip | Family::Inet)
            && !ours(&chain.table.name)
    };
    let mut found = Vec::new();
    for chain in chains.iter().filter(drops) {
        let of_table = chains.iter().filter(|other| other.table == chain.table);
        let mut decided = false;
        for chain in of_table {
            let rules = nft.rules(&chain.table, &chain.name)?;
            decided |= rules.iter().any(|rule| rule.names_link(bridge));
        }
        if !decided {
            found.push(blocker(chain, &chains, bridge));
        }
    }
    Ok(found)
}

fn blocker(chain: &ChainInfo, all: &[ChainInfo], bridge: &str) -> Blocker {
    let has = |name: &str| {
        all.iter()
            .any(|other| other.table == chain.table && other.name == name)
    };
    let (owner, command) = if has("DOCKER-USER") {
        let command = format!(
            "iptables -I DOCKER-USER -i {bridge} -j ACCEPT && iptables -I DOCKER-USER -o {bridge} -j ACCEPT"
        );
        (Some("docker"), command)
    } else if has("ufw-user-forward") {
        let command = format!("ufw route allow in on {bridge} && ufw route allow out on {bridge}");
        (Some("ufw"), command)
    } else if chain.table.name == "firewalld" {
        (
            Some("firewalld"),
            format!("firewall-cmd --zone=trusted --add-interface={bridge}"),
        )
    } else {
        let at = format!("nft insert rule {} {}", chain.table, chain.name);
        (
            None,
            format!("{at} iifname {bridge} accept && {at} oifname {bridge} accept"),
        )
    };
    Blocker {
        chain: format!("{} {}", chain.table, chain.name),
        owner,
        command,
    }
}
