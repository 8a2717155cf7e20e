//! The steps of a plan, as the client that asked for `--explain` or `--trace` sees them.

use std::time::Duration;

use kit_plan::{Done, Observer, StepError, StepView};

use super::clients::Client;
use super::wire::{Event, Go};

pub struct Tell<'a> {
    pub client: &'a mut Client,
    pub explain: bool,
    pub trace: bool,
}

impl<'a> Tell<'a> {
    pub fn new(client: &'a mut Client, go: &Go) -> Self {
        Self {
            client,
            explain: go.explain,
            trace: go.trace,
        }
    }
}

impl Observer for Tell<'_> {
    fn after(&mut self, step: &StepView<'_>, came_to: Result<&Done, &StepError>, took: Duration) {
        if self.trace {
            self.client
                .send(&Event::Step(kit_plan::trace_line(step, came_to, took)));
        } else if self.explain {
            self.client
                .send(&Event::Step(kit_plan::explain_text(step, came_to, took)));
        }
    }
}
