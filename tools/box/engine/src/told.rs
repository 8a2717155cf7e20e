//! The pipe from a cloned process to the one that cloned it: it carries the error if the program could not be executed, and
//! nothing if it was.

use std::fs::File;
use std::os::fd::OwnedFd;

use kit_plan::StepError;

use super::error::fail;

/// Writes an error to the pipe; returns the code to exit with.
pub(super) fn tell(say: &OwnedFd, error: &StepError) -> i32 {
    let line = format!(
        "{}\n{}\n{error}",
        error.exit_code(),
        error.get_hint().unwrap_or_default()
    );
    let _ = rustix::io::write(say, line.as_bytes());
    1
}

/// Reads the child's error; `None` once the program has replaced the child, since execve(2) closes the pipe.
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
