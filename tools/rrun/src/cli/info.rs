//! soon
use crate::state::Containers;
use kit_cli::Result;
pub fn info(_: &Containers) -> Result {
    Ok(0)
}
pub fn version() -> Result {
    Ok(0)
}
