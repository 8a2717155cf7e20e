//! The steps of a plan, as the client that asked for `--explain` or `--trace` sees them.

use std::time::Duration;

use kit_plan::{Done, Go, Observer, StepError, StepView};

use super::clients::Client;
use box_wire::{self as wire, Event};

pub struct Tell<'a> {
    pub client: &'a mut Client,
    pub explain: bool,
    pub trace: bool,
    /// Somebody else who watches.
    pub also: Option<Box<dyn Observer>>,
}

impl<'a> Tell<'a> {
    pub fn new(client: &'a mut Client, go: &wire::Go, also: Option<Box<dyn Observer>>) -> Self {
        Self {
            client,
            explain: go.explain,
            trace: go.trace,
            also,
        }
    }
}

impl Observer for Tell<'_> {
    fn before(&mut self, step: &StepView<'_>) -> Go {
        self.also.as_mut().map_or(Go::On, |also| also.before(step))
    }

    fn lockstep(&self) -> bool {
        self.also.as_ref().is_some_and(|also| also.lockstep())
    }

    fn after(&mut self, step: &StepView<'_>, came_to: Result<&Done, &StepError>, took: Duration) {
        if let Some(also) = &mut self.also {
            also.after(step, came_to, took);
        }
        if self.trace {
            self.client
                .send(&Event::Step(kit_plan::trace_line(step, came_to, took)));
        } else if self.explain {
            self.client
                .send(&Event::Step(kit_plan::explain_text(step, came_to, took)));
        }
    }
}
