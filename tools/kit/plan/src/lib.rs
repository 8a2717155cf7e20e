//! Parse, plan, act: the heart of the toolkit.
//!
//! A verb that changes something builds a [`Plan`], a list of [`Step`]s, from its flags by a pure function.
//! One list then serves for everything: [`Plan::script`] prints it as a shell script, [`Plan::apply`] does it
//! while an [`Observer`] watches, [`Journal::rollback`] undoes it in reverse, and [`recover`] does the same for
//! a process that was killed. Nothing here touches the kernel but files of the journal: what acts is the steps,
//! what undoes is an [`Undoer`].
//!
//! ```
//! use kit_plan::{Context, Done, Meta, Plan, Shell, Slots, Step, StepError, Undo, run};
//!
//! mod says {
//!     kit_plan::sayings! {
//!         Files {
//!             dir(path): "Make directory {path}: the pages go there", "创建目录 {path}：页面放在这里";
//!         }
//!     }
//! }
//!
//! struct MakeDir(std::path::PathBuf);
//!
//! impl Step for MakeDir {
//!     fn meta(&self) -> Meta {
//!         let shell = Shell::Exact(vec![run!["mkdir", &self.0]]);
//!         Meta::new("dir.make", says::dir(self.0.display()), shell)
//!     }
//!     fn intent(&self, _: &Slots) -> Vec<Undo> {
//!         vec![Undo::rmdir(&self.0)]
//!     }
//!     fn apply(&self, _: &mut Context) -> Result<Done, StepError> {
//!         std::fs::create_dir(&self.0).map_err(|e| StepError::new(format!("making {:?}", self.0), e))?;
//!         Ok(Done::made(vec![Undo::rmdir(&self.0).identified()]))
//!     }
//! }
//!
//! let mut plan = Plan::new("pages make");
//! plan.push(MakeDir("/srv/pages".into()));
//! assert!(plan.script()?.contains("mkdir /srv/pages"));
//! # Ok::<(), kit_plan::PlanError>(())
//! ```
#![warn(missing_docs)]

mod child;
mod context;
mod entry;
mod fault;
mod identity;
mod journal;
mod netns;
mod observe;
pub mod os_text;
mod plan;
mod recover;
mod say;
mod script;
mod script_child;
mod session;
mod shell;
mod step;
mod told;
mod undo;
mod undo_says;
mod vars;

pub use child::{Child, ChildEnd, Relay, relay};
pub use context::{Context, FdId, Mark, link_group_of_a_plan, random_bytes};
pub use entry::{Entry, Header, JournalError, Record, State};
pub use fault::{FAILED, Fault, USAGE, errno_of, way_out};
pub use identity::{FileId, MountId, NetnsId, ProcessId};
pub use journal::{Journal, Spared};
pub use kit_home::{Instance, Roots, RootsError, is_an_instances_group};
pub use netns::within;
pub use observe::{Go, Observer, Silent, StepView, Stop, trace_line};
pub use plan::{Plan, PlanError};
pub use recover::{Fate, Recovery, recover, recover_one};
pub use say::{Lang, Part, Saying};
pub use script::{quote, quote_in_line};
pub use session::{Left, Session, SessionError};
pub use shell::{Line, Program, Shell, SlotId, Slots, Value};
pub use step::{Done, Meta, Note, Side, Step, StepError};
pub use told::{Detail, StepTold, Telling, Told, UndoTold};
pub use undo::{LinkWas, NftFamily, Undo, UndoError, Undoer, Undone};
pub use vars::Vars;
