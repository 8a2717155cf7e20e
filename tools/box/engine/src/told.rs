//! What a cloned process that is to become a program says to whoever cloned it: nothing, or why it could not.

use std::fs::File;
use std::os::fd::OwnedFd;

use kit_plan::StepError;

use super::error::fail;

/// Tells why it failed; the code to leave with.
pub(super) fn tell(say: &OwnedFd, error: &StepError) -> i32 {
    let line = format!(
        "{}\n{}\n{error}",
        error.exit_code(),
        error.get_hint().unwrap_or_default()
    );
    let _ = rustix::io::write(say, line.as_bytes());
    1
}

/// What a child told, until the program has replaced it, which closes the pipe.
pub(super) fn heard(said: OwnedFd) -> Result<Option<StepError>, StepError> {
    let mut text = String::new();
    std::io::Read::read_to_string(&mut File::from(said), &mut text)
        .map_err(fail("hearing from the child"))?;
    let mut parts = text.splitn(3, '\n');
    let (Some(exit), Some(hint), Some(reason)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(None);
    };
    let error = StepError::whole(reason.to_owned()).exit(exit.parse().unwrap_or(1));
    Ok(Some(if hint.is_empty() {
        error
    } else {
        error.hint(hint)
    }))
}
