//! How far long work is, on a terminal's stderr. Kind: edge.

use crate::args::Global;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{IsTerminal, stderr};
use std::time::Duration;

const REDRAW: Duration = Duration::from_millis(120);

/// Makes bars, or bars that nobody sees.
#[derive(Clone, Copy)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    pub fn new(global: &Global) -> Progress {
        Progress { shown: !global.quiet && !global.no_progress && stderr().is_terminal() }
    }
    /// Work of unknown length; its position counts rows.
    pub fn rows(self, what: &str) -> Bar {
        self.bar(None, "{spinner} {msg}: {human_pos} rows, {per_sec}, {elapsed}", what)
    }
    /// Work of unknown length that counts nothing.
    pub fn busy(self, what: &str) -> Bar {
        self.bar(None, "{spinner} {msg}, {elapsed}", what)
    }
    /// Work of a known number of steps.
    pub fn steps(self, what: &str, length: u64) -> Bar {
        self.bar(Some(length), "{spinner} {msg} {bar:30} {human_pos}/{human_len}, {eta} left", what)
    }
    fn bar(self, length: Option<u64>, template: &str, what: &str) -> Bar {
        if !self.shown {
            return Bar(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr_with_hz(10)).with_message(what.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(REDRAW);
        Bar(bar)
    }
}

/// A bar that is wiped away when the work ends, however it ends.
pub struct Bar(pub ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
