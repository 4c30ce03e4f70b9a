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

/// How often the progress line turns.
const TICK: Duration = Duration::from_millis(100);

/// Shows commits as they come, and the report at the end.
#[derive(Debug)]
pub(crate) enum Show {
    /// One event a line as JSON.
    Json { plan: Option<Arc<Plan>> },
    /// One line a step, and one that says what is being waited for, which only a terminal sees.
    Timeline { timeline: Timeline, progress: ProgressBar, is_turning: bool },
}

impl Show {
    pub(crate) fn new(json: bool, plan: Option<Arc<Plan>>) -> Self {
        if json {
            return Self::Json { plan };
        }
        // A bar on standard error, hidden where that is no terminal.
        let progress = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
            progress.set_style(style);
        }
        Self::Timeline { timeline: Timeline::new(plan), progress, is_turning: false }
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
            Self::Timeline { timeline, progress, is_turning } => {
                let Some(under_way) = timeline.under_way(SystemClock.now()) else { return };
                progress.set_message(under_way);
                if !std::mem::replace(is_turning, true) {
                    progress.enable_steady_tick(TICK);
                }
            }
        }
    }

    /// Something for the person, beside the run.
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
