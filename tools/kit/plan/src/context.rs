//! What a step may use while it acts: slots, descriptors, the plan's mark, and things kept from step to step.
//! It outlives [`crate::Plan::apply`], which is how a monitor keeps a socket.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use crate::{Child, Instance, Slots, Step, StepError};

/// Whose a thing is: the instance and the plan that made it.
#[derive(Debug, Clone)]
pub struct Mark {
    /// The instance that makes it.
    pub instance: Instance,
    /// 12 hex digits, or a container's ID; part of each temporary name.
    pub plan: String,
}

impl Mark {
    /// A mark for a new plan of this instance.
    pub fn new(instance: Instance) -> Self {
        Self {
            instance,
            plan: random_hex(),
        }
    }
}

/// `IFLA_GROUP` for the links of one plan alone, which no instance has: an intended link whose name a user chose is told
/// by it from one that another plan, or a container, has under that name.
pub fn link_group_of_a_plan() -> u32 {
    let number = u32::from_str_radix(&random_hex()[4..], 16).unwrap_or(1);
    0x2000_0000 | (number & 0x0fff_ffff)
}

/// 12 random hex digits.
fn random_hex() -> String {
    let number = random_bytes()
        .iter()
        .fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:012x}")
}

/// Six of them: as many as a hardware address has.
pub fn random_bytes() -> [u8; 6] {
    let mut bytes = [0u8; 6];
    // Reading 6 bytes never blocks once the pool is up, and never comes short (random(4)).
    let filled = std::fs::File::open("/dev/urandom")
        .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes));
    if filled.is_err() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = now.map_or(0, |t| t.as_nanos() as u64) ^ (u64::from(std::process::id()) << 32);
        bytes.copy_from_slice(&seed.to_le_bytes()[..6]);
    }
    bytes
}

/// What a descriptor in a [`Context`] is called: one constant of the step that opens it, which the steps that use it name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FdId(&'static str);

impl FdId {
    /// `name` is for errors, and unique in a plan.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// As it was given.
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for FdId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// What the steps of a plan share.
pub struct Context {
    /// What is known only as the plan runs.
    pub slots: Slots,
    /// Whose what they make is.
    pub mark: Mark,
    /// The other end of the plan's child, once a step has cloned it.
    pub child: Option<Box<dyn Child>>,
    /// Threads that work ahead of the steps that wait for them: dropping this ends them, which a rollback does first.
    pub ahead: Option<Box<dyn Any>>,
    fds: BTreeMap<FdId, OwnedFd>,
    kept: HashMap<TypeId, Box<dyn Any>>,
    steps: Rc<Vec<Box<dyn Step>>>,
}

impl Context {
    /// With nothing in it yet.
    pub fn new(mark: Mark) -> Self {
        Self {
            slots: Slots::default(),
            mark,
            child: None,
            ahead: None,
            fds: BTreeMap::new(),
            kept: HashMap::new(),
            steps: Rc::default(),
        }
    }

    /// Keeps a descriptor under a name. A child keeps these, and its own end of the relay, and no others.
    pub fn put_fd(&mut self, name: FdId, fd: OwnedFd) {
        self.fds.insert(name, fd);
    }

    /// A descriptor that an earlier step put there.
    pub fn fd(&self, name: FdId) -> Result<BorrowedFd<'_>, StepError> {
        self.fds.get(&name).map(AsFd::as_fd).ok_or_else(|| {
            StepError::new(
                format!("using descriptor \"{name}\""),
                "no earlier step opened it",
            )
        })
    }

    /// Whether an earlier step put one there.
    pub fn has_fd(&self, name: FdId) -> bool {
        self.fds.contains_key(&name)
    }

    /// Takes it out; it is the caller's to close.
    pub fn take_fd(&mut self, name: FdId) -> Option<OwnedFd> {
        self.fds.remove(&name)
    }

    /// All that are in it.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.fds.values().map(AsFd::as_fd)
    }

    /// Keeps one value of a type for later steps and for whoever applied the plan: a netlink socket.
    pub fn keep<T: Any>(&mut self, value: T) {
        self.kept.insert(TypeId::of::<T>(), Box::new(value));
    }

    /// The value of that type, if one was kept.
    pub fn kept<T: Any>(&mut self) -> Option<&mut T> {
        self.kept.get_mut(&TypeId::of::<T>())?.downcast_mut()
    }

    /// Takes it out.
    pub fn take<T: Any>(&mut self) -> Option<T> {
        self.kept
            .remove(&TypeId::of::<T>())?
            .downcast()
            .ok()
            .map(|value| *value)
    }

    /// The kept value of a type, made by `make` the first time.
    pub fn kept_or<T: Any, E>(&mut self, make: impl FnOnce() -> Result<T, E>) -> Result<&mut T, E> {
        if !self.kept.contains_key(&TypeId::of::<T>()) {
            let value = make()?;
            self.keep(value);
        }
        // Present: just checked or just put there, under the type's own ID.
        Ok(self.kept::<T>().expect("kept under its own type"))
    }

    /// The slot's value as text that parses, such as a PID.
    pub fn slot<T: std::str::FromStr>(&self, id: crate::SlotId) -> Result<T, StepError> {
        self.slots
            .get(id)
            .and_then(|text| text.to_str())
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| {
                StepError::new(
                    format!("reading slot ${}", id.0),
                    "no earlier step filled it",
                )
            })
    }

    /// The steps of the plan that is being applied: a child runs its own from them.
    pub fn steps(&self) -> Rc<Vec<Box<dyn Step>>> {
        Rc::clone(&self.steps)
    }

    pub(crate) fn set_steps(&mut self, steps: Rc<Vec<Box<dyn Step>>>) {
        self.steps = steps;
    }
}
