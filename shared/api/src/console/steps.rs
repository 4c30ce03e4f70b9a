//! The steps of a run as a table; of a run with many, those that are not well or not over come first.

use std::borrow::Cow;

use heal_engine::Plan;
use heal_engine::report::{OpenStatus, StepReport, StepStatus};
use heal_engine::text::printable;
use maud::{Markup, html};

use super::page::{Room, Tone, badge, json};
use super::run::{Read, tone};
use crate::moment;

/// Rows of one page.
const ROWS: usize = 100;
/// Characters of an error or a warning.
const NOTE_CHARACTERS: usize = 600;
/// All rows, with what their steps were given and have put out.
const ROOM: Room = Room(14 * 1_024);

pub(super) fn table(plan: &Plan, run: &Read) -> Markup {
    let mut steps: Vec<&StepReport> = run.steps().iter().collect();
    let all = steps.len();
    let whole = |step: &StepReport| row(plan, step, true);
    let mut rows = ROOM.fill(steps.iter().map(|step| whole(step)));
    if rows.len() < all {
        steps.sort_by_key(|step| urgency(step));
        // What does not fit with its output may fit without.
        let mut room = ROOM;
        let fitting = steps.iter().map(|step| {
            let whole = whole(step);
            let short = || row(plan, step, false);
            if room.holds(&whole) { Some(whole) } else { Some(short()).filter(|short| room.holds(short)) }
        });
        rows = fitting.take(ROWS).map_while(|row| row).collect();
    }
    html! {
        @if rows.len() < all { p.quiet { (rows.len()) " of " (all) " steps, first those that are not well, then those at work. The rest is in the log." } }
        div.scroll tabindex="0" role="region" aria-label="Each step" {
            table.wrap {
                thead { tr { th scope="col" { "Step" } th scope="col" { "State" } th scope="col" { "Attempts" } th scope="col" { "Time" } th scope="col" { "What it did" } } }
                tbody { @for row in rows { (row) } }
            }
        }
    }
}

fn row(plan: &Plan, step: &StepReport, with_data: bool) -> Markup {
    let note = [&step.error, &step.reason, &step.warning].into_iter().flatten();
    html! {
        tr id={ "step-" (step.name) } {
            td data-name="Step" { strong { (printable(&step.name)) } br; span.quiet { (printable(&step.kind)) @if step.verify { " · verify" } } }
            td data-name="State" { (badge(tone(step.status), &step.status.as_str().replace('_', " "))) }
            td data-name="Attempts" { (step.attempts) }
            td data-name="Time" { @if let Some(ms) = step.duration_ms { (moment::duration(ms)) } @else { "–" } }
            td data-name="What it did" {
                @for text in note { p { (printable(&cut(text))) } }
                @if let Some(output) = step.output.as_ref().filter(|output| with_data && !output.is_empty()) { details { summary { "Output" } pre tabindex="0" { (json(output)) } } }
                @if let Some((_, planned)) = plan.steps().find(|(_, planned)| with_data && planned.spec.name == step.name) {
                    details { summary { "Parameters in the playbook" } pre tabindex="0" { (json(&planned.spec.parameters)) } }
                }
            }
        }
    }
}

/// The beginning of a text: that of a step that fans out speaks of each of its elements.
fn cut(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(NOTE_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

/// The lower, the sooner a person wants to see it.
fn urgency(step: &StepReport) -> u8 {
    match (tone(step.status), step.status) {
        (Tone::Bad, _) => 0,
        (Tone::Left, _) => 1,
        _ if step.warning.is_some() => 1,
        (_, StepStatus::Open(OpenStatus::Running | OpenStatus::Waiting | OpenStatus::AwaitingApproval)) => 2,
        (_, StepStatus::Ended(_)) => 3,
        (_, StepStatus::Open(OpenStatus::NotRun)) => 4,
    }
}
