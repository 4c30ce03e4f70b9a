//! A run on standard output, for a person or for a program.

use std::sync::Arc;
use std::time::Duration;

use heal_engine::Plan;
use heal_engine::event::Commit;
use heal_engine::report::{self, Report};
use heal_runtime::port::{Clock as _, SystemClock};
use indicatif::{ProgressBar, ProgressStyle};

use crate::out;
use crate::timeline::{Timeline, summary};

/// How often the spinner of the progress line advances.
const TICK: Duration = Duration::from_millis(100);

/// Shows commits as they come, and the report at the end.
#[derive(Debug)]
pub(crate) enum Show {
    /// One event a line as JSON.
    Json { plan: Option<Arc<Plan>> },
    /// One line a step, and a progress line, which only a terminal shows.
    Timeline { timeline: Timeline, progress: ProgressBar, is_spinning: bool },
}

impl Show {
    pub(crate) fn new(json: bool, plan: Option<Arc<Plan>>) -> Self {
        if json {
            return Self::Json { plan };
        }
        // The bar is on standard error, and hidden unless that is a terminal.
        let progress = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
            progress.set_style(style);
        }
        Self::Timeline { timeline: Timeline::new(plan), progress, is_spinning: false }
    }

    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn commit(&mut self, commit: &Commit) -> std::io::Result<()> {
        match self {
            Self::Json { plan } => report::lines(plan.as_deref(), commit).iter().try_for_each(out::json),
            Self::Timeline { timeline, progress, .. } => {
                let lines = timeline.take(commit);
                progress.suspend(|| lines.iter().try_for_each(out::line))
            }
        }
    }

    /// Brings the progress line up to date.
    pub(crate) fn wait(&mut self) {
        match self {
            Self::Json { .. } => {}
            Self::Timeline { timeline, progress, is_spinning } => {
                let Some(message) = timeline.in_progress(SystemClock.now()) else { return };
                progress.set_message(message);
                if !std::mem::replace(is_spinning, true) {
                    progress.enable_steady_tick(TICK);
                }
            }
        }
    }

    /// A note for the person at the terminal.
    pub(crate) fn note(&self, text: &str) {
        match self {
            Self::Json { .. } => out::note(text),
            Self::Timeline { progress, .. } => progress.suspend(|| out::note(text)),
        }
    }

    /// # Errors
    /// Standard output cannot be written.
    pub(crate) fn finish(self, report: &Report) -> std::io::Result<()> {
        match self {
            Self::Json { .. } => out::json(report),
            Self::Timeline { progress, .. } => {
                progress.finish_and_clear();
                out::line("")?;
                summary::lines(report).iter().try_for_each(out::line)
            }
        }
    }
}
