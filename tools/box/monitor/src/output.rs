//! The steps of a plan, as the client that asked for `--explain` or `--trace` sees them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use kit_plan::{
    Done, Go, Observer, Record, Roots, StepError, StepView, Telling, Told, UndoError, Undone, Vars,
};

use super::clients::Client;
use box_wire::{self as wire, Event};

type Heard = Box<dyn FnMut(Told)>;

pub struct Tell<'a> {
    client: &'a mut Client,
    telling: Option<Telling<Heard>>,
    /// Steps that were told and are not sent yet.
    told: Rc<RefCell<VecDeque<Told>>>,
    trace: bool,
    /// The observer of [`super::fork_watched`].
    also: Option<Box<dyn Observer>>,
}

impl<'a> Tell<'a> {
    pub fn new(
        client: &'a mut Client,
        go: &wire::Go,
        roots: &Roots,
        also: Option<Box<dyn Observer>>,
    ) -> Self {
        let told = Rc::new(RefCell::new(VecDeque::new()));
        let telling = go.explain.map(|detail| {
            let told = Rc::clone(&told);
            Telling {
                detail,
                vars: Vars::of_roots(roots).and("C", &go.id),
                tell: Box::new(move |one| told.borrow_mut().push_back(one)) as Heard,
            }
        });
        Self {
            client,
            telling,
            told,
            trace: go.trace,
            also,
        }
    }

    fn send(&mut self) {
        while let Some(told) = self.told.borrow_mut().pop_front() {
            self.client.send(&Event::Told(told));
        }
    }
}

impl Observer for Tell<'_> {
    fn before(&mut self, step: &StepView<'_>) -> Go {
        if let Some(telling) = &mut self.telling {
            telling.before(step);
        }
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
        }
        if let Some(telling) = &mut self.telling {
            telling.after(step, came_to, took);
        }
        self.send();
    }

    fn undone(&mut self, record: &Record, came_to: Result<&Undone, &UndoError>) {
        if let Some(telling) = &mut self.telling {
            telling.undone(record, came_to);
        }
        self.send();
    }
}
