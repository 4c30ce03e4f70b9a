//! A run over time: for each step its attempts, waits, retries and questions as bars.

use std::collections::BTreeMap;

use heal_engine::event::{Commit, Event};
use heal_engine::id::StepRef;
use heal_engine::message::AttemptOutcome;
use heal_engine::text::printable;
use heal_engine::{Plan, Timestamp};
use maud::{Markup, html};

use super::page::{Room, Tone};
use crate::moment;

/// Rows of one plot; a run of more steps shows those that took longest.
const ROWS: usize = 40;
/// Bars of one row; of a step that fans out to more elements, the longest ones.
const BARS: usize = 60;
/// All rows.
const ROOM: Room = Room(14 * 1_024);
/// Bars of a row if there is no room for all of them.
const FEW_BARS: usize = 3;
/// Width of the plot in its own units.
const WIDTH: f64 = 1_000.0;
/// The narrowest bar that can be seen.
const NARROWEST: f64 = 3.0;

/// A stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bar {
    from: Timestamp,
    to: Timestamp,
    tone: Tone,
    /// What happened, for the pointer and for a screen reader.
    text: String,
}

/// The bars of the run so far, by step; those of the run as a whole have none.
pub(super) fn timeline(plan: &Plan, commits: &[Commit], now: Timestamp) -> Markup {
    let Some(start) = commits.first().map(|commit| commit.at) else { return html! {} };
    let (mut rows, end) = rows(commits, now);
    let span = end.since_ms(start).max(1);
    let all = rows.len();
    if all > ROWS {
        let mut longest: Vec<_> = rows.iter().map(|(step, bars)| (length(bars), *step)).collect();
        longest.sort_unstable_by(|a, b| b.cmp(a));
        let kept: Vec<_> = longest.into_iter().take(ROWS).map(|(_, step)| step).collect();
        rows.retain(|step, _| kept.contains(step));
    }
    let drawn = |most: usize| {
        let rows = rows
            .iter()
            .map(|(step, bars)| row(step.map_or("the run", |step| plan.name(step)), bars, most, start, span));
        ROOM.fill(rows)
    };
    let mut drawn_rows = drawn(BARS);
    if drawn_rows.len() < rows.len() {
        drawn_rows = drawn(FEW_BARS);
    }
    let shown = drawn_rows.len();
    html! {
        div.bars role="list" aria-label={ "Timeline, " (moment::duration(span)) " in all" } { @for row in drawn_rows { (row) } }
        p.quiet {
            "From start to " @if now > end { "end" } @else { "now" } ": " (moment::duration(span)) "."
            @if shown < all { " " (shown) " of " (all) " steps are shown, of many only the longest." }
        }
    }
}

fn row(name: &str, bars: &[Bar], most: usize, start: Timestamp, span: u64) -> Markup {
    let mut shown: Vec<&Bar> = bars.iter().collect();
    if shown.len() > most {
        shown.sort_unstable_by_key(|bar| std::cmp::Reverse(bar.to.since_ms(bar.from)));
        shown.truncate(most);
    }
    let x = |at: Timestamp| to_f64(at.since_ms(start)) / to_f64(span) * WIDTH;
    let said: Vec<_> = bars.iter().take(3).map(|bar| bar.text.as_str()).collect();
    html! {
        span role="presentation" { (printable(name)) @if bars.len() > 1 { span.quiet { " ×" (bars.len()) } } }
        svg role="listitem" aria-label={ (printable(name)) ": " (printable(&said.join("; "))) } viewBox={ "0 0 " (WIDTH) " 18" } preserveAspectRatio="none" {
            @for bar in shown {
                rect class={ "bar " (bar.tone.class()) } x=(x(bar.from).min(WIDTH - NARROWEST)) y="2" height="14" width=((x(bar.to) - x(bar.from)).max(NARROWEST)) {
                    title { (printable(&bar.text)) }
                }
            }
        }
    }
}

/// The bars of each step in the plan's order, and the end of the last one.
fn rows(commits: &[Commit], now: Timestamp) -> (BTreeMap<Option<u32>, Vec<Bar>>, Timestamp) {
    let mut reading = Reading::default();
    let mut end = None;
    for commit in commits {
        for event in &commit.events {
            reading.read(event, commit.at);
            if matches!(event, Event::RunEnded { .. }) {
                end = Some(commit.at);
            }
        }
    }
    let end = end.unwrap_or(now);
    reading.finish(end);
    (reading.rows, end)
}

/// What is open while the log is read.
#[derive(Debug, Default)]
struct Reading {
    rows: BTreeMap<Option<u32>, Vec<Bar>>,
    attempts: BTreeMap<StepRef, (u32, Timestamp)>,
    questions: BTreeMap<StepRef, Timestamp>,
    held: Option<Timestamp>,
    queued: Option<Timestamp>,
}

impl Reading {
    fn read(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::AttemptStarted { step, attempt, .. } => drop(self.attempts.insert(*step, (*attempt, at))),
            Event::AttemptEnded { step, attempt, result, started_at, finished_at } => {
                let issued = self.attempts.remove(step).map_or(at, |(_, issued)| issued);
                let (tone, word) = ending(&result.outcome);
                let (from, to) = (started_at.unwrap_or(issued), finished_at.unwrap_or(at));
                self.add(Some(*step), from, to, tone, &format!("attempt {attempt} {word}"));
            }
            Event::AttemptHeld { step, attempt, .. } => {
                let issued = self.attempts.remove(step).map_or(at, |(_, issued)| issued);
                self.add(Some(*step), issued, at, Tone::Waits, &format!("attempt {attempt} held"));
            }
            Event::WaitStarted { step, until } => self.add(Some(*step), at, *until, Tone::Waits, "wait"),
            Event::RetryScheduled { step, due_at, attempt, .. } => {
                self.add(Some(*step), at, *due_at, Tone::Waits, &format!("until attempt {attempt}"));
            }
            Event::ApprovalRequested { step, .. } => drop(self.questions.insert(*step, at)),
            Event::StepApproved { step, .. } | Event::StepRejected { step, .. } => self.answered(*step, at),
            Event::RunQueued => self.queued = Some(at),
            Event::RunAdmitted => self.admitted(at),
            Event::RunHeld { .. } => self.held = self.held.or(Some(at)),
            Event::RunReleased { .. } => self.released(at),
            Event::RunStarted(_)
            | Event::IncidentRejected { .. }
            | Event::IncidentJoined { .. }
            | Event::ApprovalExpiring { .. }
            | Event::Approved { .. }
            | Event::Rejected { .. }
            | Event::CancelRequested { .. }
            | Event::RunWithdrawn { .. }
            | Event::FollowUpDone { .. }
            | Event::ConditionFalse { .. }
            | Event::FannedOut { .. }
            | Event::AttemptReissued { .. }
            | Event::StepEnded { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. }
            | Event::RunEnded { .. } => {}
        }
    }

    fn answered(&mut self, step: StepRef, at: Timestamp) {
        if let Some(since) = self.questions.remove(&step) {
            self.add(Some(step), since, at, Tone::Waits, "people were asked");
        }
    }

    fn released(&mut self, at: Timestamp) {
        if let Some(since) = self.held.take() {
            self.add(None, since, at, Tone::Waits, "held");
        }
    }

    fn admitted(&mut self, at: Timestamp) {
        if let Some(since) = self.queued.take() {
            self.add(None, since, at, Tone::Waits, "waited for room");
        }
    }

    /// What is still open goes on to the end; what was planned for later ends there too.
    fn finish(&mut self, end: Timestamp) {
        for (step, (attempt, since)) in std::mem::take(&mut self.attempts) {
            self.add(Some(step), since, end, Tone::Live, &format!("attempt {attempt} in flight"));
        }
        for step in self.questions.keys().copied().collect::<Vec<_>>() {
            self.answered(step, end);
        }
        self.released(end);
        self.admitted(end);
        for bar in self.rows.values_mut().flatten() {
            bar.to = bar.to.min(end);
            bar.from = bar.from.min(end);
        }
    }

    fn add(&mut self, step: Option<StepRef>, from: Timestamp, to: Timestamp, tone: Tone, what: &str) {
        let text = format!("{what}, {}", moment::duration(to.since_ms(from)));
        self.rows.entry(step.map(|step| step.step)).or_default().push(Bar { from, to, tone, text });
    }
}

fn ending(outcome: &AttemptOutcome) -> (Tone, &'static str) {
    match outcome {
        AttemptOutcome::Succeeded => (Tone::Good, "succeeded"),
        AttemptOutcome::NoOp { .. } => (Tone::Good, "had nothing to do"),
        AttemptOutcome::Shadowed { .. } => (Tone::Good, "was shadowed"),
        AttemptOutcome::NeedsApproval { .. } => (Tone::Waits, "needs an approval"),
        AttemptOutcome::CoolingDown { .. } => (Tone::Left, "found its target cooling down"),
        AttemptOutcome::Unavailable { .. } => (Tone::Left, "found its service unavailable"),
        AttemptOutcome::Denied { .. } => (Tone::Bad, "was denied"),
        AttemptOutcome::Failed { .. } => (Tone::Bad, "failed"),
        AttemptOutcome::TimedOut { .. } => (Tone::Bad, "timed out"),
        AttemptOutcome::Unknown { .. } => (Tone::Bad, "may have had its effect"),
    }
}

fn length(bars: &[Bar]) -> u64 {
    bars.iter().map(|bar| bar.to.since_ms(bar.from)).sum()
}

/// Lengths of time that a person looks at have far fewer than 2^52 milliseconds.
fn to_f64(milliseconds: u64) -> f64 {
    f64::from(u32::try_from(milliseconds / 1_000).unwrap_or(u32::MAX)) * 1_000.0
        + f64::from(u32::try_from(milliseconds % 1_000).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use heal_engine::RunId;
    use heal_engine::message::AttemptResult;

    use super::*;

    fn commit(at: u64, events: Vec<Event>) -> Commit {
        let (run_id, cause_id) = (RunId::new("r"), format!("c{at}"));
        Commit { run_id, first_seq: at, cause_id, at: Timestamp(at), events, chain: None }
    }

    #[test]
    fn bars_end_with_what_they_show_and_what_is_open_at_the_end_of_the_log() {
        let step = StepRef::whole(0);
        let ended = |attempt, result| Event::AttemptEnded {
            step,
            attempt,
            result,
            started_at: Some(Timestamp(12)),
            finished_at: Some(Timestamp(20)),
        };
        let hold = Event::RunHeld { by: "local:a".into(), reason: "r".into(), halt: None, until: None };
        let release = Event::RunReleased { by: "local:a".into(), reason: "r".into() };
        let retry = Event::RetryScheduled { step, attempt: 2, due_at: Timestamp(90), reason: "busy".into() };
        let commits = [
            commit(10, vec![Event::VerifyStarted]),
            commit(21, vec![ended(1, AttemptResult::transient("busy", "later")), retry]),
            commit(30, vec![hold]),
            commit(40, vec![release]),
        ];
        let (rows, end) = rows(&commits, Timestamp(50));
        assert_eq!(end, Timestamp(50));
        let bars: Vec<_> = rows.values().flatten().map(|bar| (bar.from.0, bar.to.0, bar.tone)).collect();
        assert_eq!(bars, [(30, 40, Tone::Waits), (12, 20, Tone::Bad), (21, 50, Tone::Waits)]);
    }
}
