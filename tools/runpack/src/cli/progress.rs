//! How far a long verb has come, on a terminal; nothing anywhere else, nor where each step is told.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};
use kit_cli::Act;

use crate::Progress;

// As docker prints sizes, and in what every console can show.
const READING: &str = "{spinner} {msg} {decimal_bytes}";
const OF: &str = "{spinner} {msg} [{bar:30}] {decimal_bytes} of {decimal_total_bytes}";

/// Gone from the screen when dropped.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    pub fn new(act: Act, text: &'static str) -> Self {
        let told = act.dry_run || act.explain.is_some() || act.trace;
        if told || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        // It moves as bytes come: a thread that turns it could not be made at a limit of processes.
        let bar = ProgressBar::new_spinner().with_message(text);
        restyle(&bar, READING);
        Self(Some(bar))
    }

    /// Never shown.
    pub fn none() -> Self {
        Self(None)
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
