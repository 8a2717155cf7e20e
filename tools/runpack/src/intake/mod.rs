//! What a plan puts into the store, step by step: a place beside, each layer read once into it, each moved to its own place, and at the
//! very end the images' names. `load`, `import` and `pack` are made of these; what is not named in the end is swept up when the plan ends.

mod begin;
mod crew;
mod job;
mod name;
mod place;
mod take;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use kit_plan::Plan;
use oci_spec::image::Descriptor;

pub(crate) use begin::Begin;
pub(crate) use crew::Crew;
pub(crate) use job::{Explain, Job, Origin, Taken};
pub(crate) use name::{ImageName, Layer, NewImage, Outcome};
pub(crate) use place::Place;
pub(crate) use take::Take;

use crate::{Store, StoreError};

/// Told how many bytes more have been read.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Progress {
    /// `tell` gets the bytes that were read since it was last called.
    pub fn new(tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    pub(crate) fn tell(&self, bytes: u64) {
        if let Some(tell) = &self.0 {
            tell(bytes);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Progress")
    }
}

/// Shared by the steps of one plan.
pub(crate) struct Intake {
    pub store: Store,
    /// Where everything is made before it is whole.
    pub work: PathBuf,
    pub jobs: Vec<Arc<Job>>,
    pub progress: Progress,
    /// What each job came to.
    taken: RefCell<Vec<Option<Taken>>>,
    /// A step has been taken: what it left without a name is to be swept up.
    begun: Cell<bool>,
}

impl Intake {
    pub fn new(store: Store, work: PathBuf, jobs: Vec<Job>, progress: Progress) -> Rc<Self> {
        let taken = RefCell::new(vec![None; jobs.len()]);
        Rc::new(Self {
            store,
            work,
            jobs: jobs.into_iter().map(Arc::new).collect(),
            progress,
            taken,
            begun: Cell::new(false),
        })
    }

    /// The steps that take and place each layer.
    pub fn push_layers(self: &Rc<Self>, plan: &mut Plan) {
        if self.jobs.is_empty() {
            return;
        }
        plan.push(Begin(Rc::clone(self)));
        for at in 0..self.jobs.len() {
            plan.push(Take {
                intake: Rc::clone(self),
                at,
            });
        }
        for at in 0..self.jobs.len() {
            plan.push(Place {
                intake: Rc::clone(self),
                at,
            });
        }
    }

    /// Keeps what is put from being swept up until it has a name.
    pub fn begin(&self) -> Result<(), StoreError> {
        self.begun.set(true);
        self.store.hold()
    }

    pub fn set(&self, at: usize, taken: Taken) {
        if let Some(place) = self.taken.borrow_mut().get_mut(at) {
            *place = Some(taken);
        }
    }

    pub fn get(&self, at: usize) -> Option<Taken> {
        self.taken.borrow().get(at)?.clone()
    }

    pub fn descriptor(&self, at: usize) -> Option<Descriptor> {
        let sums = self.get(at)?.sums;
        let media_type = self.jobs.get(at)?.media_type.clone();
        let media_type = media_type.unwrap_or_else(|| sums.coding.media_type());
        Some(Descriptor::new(media_type, sums.size, sums.digest))
    }
}

impl Drop for Intake {
    /// Whoever still holds content has not named it: a step failed, or somebody stopped the plan.
    fn drop(&mut self) {
        if self.begun.get() && self.store.is_holding() {
            self.store.give_up();
        }
    }
}

/// A name in the store's temporary directory for a plan's work.
pub(crate) fn work_of(store: &Store) -> PathBuf {
    store.temporary()
}
