//! The network namespaces in which boxkit switched forwarding on: the lines of [`LOCK`], a file that the caller has locked.

use kit_plan::NetnsId;

use super::LOCK;
use crate::{BridgeError, Place};

/// Cookies are never used again; where a kernel has none, its number must do.
fn own(place: &Place) -> Result<String, BridgeError> {
    let nl = place.netlink()?;
    let id = NetnsId::of_socket(&nl, place.path().as_deref());
    let id = id.map_err(BridgeError::io("looking at", LOCK))?;
    // Numbers only, which always serialize.
    Ok(serde_json::to_string(&id).unwrap_or_default())
}

fn lines() -> Vec<String> {
    let text = std::fs::read_to_string(LOCK).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Of those that have ended some stay; a hundred are enough.
fn write(lines: &[String]) -> Result<(), BridgeError> {
    let from = lines.len().saturating_sub(100);
    let text: String = lines[from..]
        .iter()
        .map(|line| line.clone() + "\n")
        .collect();
    std::fs::write(LOCK, text).map_err(BridgeError::io("writing", LOCK))
}

pub fn has(place: &Place) -> Result<bool, BridgeError> {
    Ok(lines().contains(&own(place)?))
}

pub fn add(place: &Place) -> Result<(), BridgeError> {
    let (mut lines, own) = (lines(), own(place)?);
    lines.retain(|line| *line != own);
    lines.push(own);
    write(&lines)
}

pub fn remove(place: &Place) -> Result<(), BridgeError> {
    let (mut lines, own) = (lines(), own(place)?);
    let before = lines.len();
    lines.retain(|line| *line != own);
    if lines.len() == before {
        return Ok(());
    }
    write(&lines)
}
