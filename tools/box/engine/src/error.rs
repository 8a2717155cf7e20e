//! Short ways to a step's error.

use kit_plan::StepError;

/// `doing what to "object"` for a call that failed with an errno.
pub(super) fn fail<E>(doing: impl Into<String>) -> impl FnOnce(E) -> StepError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let doing = doing.into();
    move |error| StepError::new(doing, error)
}
