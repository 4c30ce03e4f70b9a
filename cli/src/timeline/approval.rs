//! What people are asked during a run, and what they answer.

use heal_api::explain::words::describe_approval;
use heal_engine::Plan;
use heal_engine::event::Event;

/// The mark and the text of an event about an approval; `None` for any other event.
pub(super) fn line(plan: Option<&Plan>, event: &Event) -> Option<(&'static str, String)> {
    let mark = if matches!(event, Event::Rejected { .. } | Event::StepRejected { .. }) {
        "■"
    } else if matches!(event, Event::ApprovalRequested { .. } | Event::ApprovalExpiring { .. }) {
        "…"
    } else {
        "+"
    };
    describe_approval(plan, event).map(|text| (mark, text))
}
