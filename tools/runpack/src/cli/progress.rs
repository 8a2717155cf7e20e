//! How far a long verb has come, on a terminal; nothing anywhere else, nor where each step is told.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kit_cli::Act;
use nix::sys::signal::SigSet;

use crate::{Progress, interrupt};

// As docker prints sizes, and in what every console can show.
const READING: &str = "{spinner} {msg} {decimal_bytes}";
const OF: &str = "{spinner} {msg} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}";

/// Gone from the screen when dropped.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    pub fn new(act: Act, text: &'static str) -> Self {
        let told = act.dry_run || act.explain || act.trace;
        if told || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        // Its thread must not be the one that a Ctrl-C finds unblocked.
        let before = SigSet::thread_get_mask();
        let _ = interrupt::ending().thread_block();
        let bar = ProgressBar::new_spinner().with_message(text);
        restyle(&bar, READING);
        bar.enable_steady_tick(Duration::from_millis(120));
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
        Self(Some(bar))
    }

    pub fn progress(&self) -> Progress {
        match self.0.clone() {
            Some(bar) => Progress::new(move |bytes| bar.inc(bytes)),
            None => Progress::default(),
        }
    }

    /// How much is to be read from now on.
    pub fn expect(&self, bytes: u64) {
        if let (Some(bar), 1..) = (&self.0, bytes) {
            bar.set_position(0);
            bar.set_length(bytes);
            restyle(bar, OF);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn restyle(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> ").tick_chars("|/-\\ "));
    }
}
