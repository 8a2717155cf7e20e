//! A record of the system calls that a step makes, for `--explain=calls`: noted where a call is made, with what the kernel answered.
//! Off unless somebody asks, and then of this thread alone; a child that is cloned meanwhile records its own.

use std::cell::RefCell;

type Last = Box<dyn FnOnce(Vec<String>)>;

thread_local! {
    static BEFORE_EXEC: RefCell<Option<Last>> = const { RefCell::new(None) };
    static CALLS: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Begins a record, or begins it anew.
pub fn record() {
    CALLS.with(|calls| *calls.borrow_mut() = Some(Vec::new()));
}

/// Whether somebody wants to know.
pub fn is_recorded() -> bool {
    CALLS.with(|calls| calls.borrow().is_some())
}

/// Notes one. `text` is made only if somebody wants to know.
pub fn note(text: impl FnOnce() -> String) {
    CALLS.with(|calls| {
        if let Some(calls) = calls.borrow_mut().as_mut() {
            calls.push(text());
        }
    });
}

/// What was noted since; the record goes on.
pub fn take() -> Vec<String> {
    CALLS.with(|calls| {
        calls
            .borrow_mut()
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
    })
}

/// Has `tell` called with what was noted just before this program is replaced, if there is a record.
pub fn before_exec(tell: impl FnOnce(Vec<String>) + 'static) {
    if is_recorded() {
        BEFORE_EXEC.with(|last| *last.borrow_mut() = Some(Box::new(tell)));
    }
}

/// This program is about to be replaced.
pub fn told_before_exec() {
    if let Some(tell) = BEFORE_EXEC.with(|last| last.borrow_mut().take()) {
        tell(take());
    }
}
