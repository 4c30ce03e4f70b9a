//! What people are asked during a run, and what they answer.

use heal_engine::Plan;
use heal_engine::event::Event;
use heal_engine::id::StepRef;

use crate::{moment, out};

/// The mark and the text of an event about an approval; `None` for any other event.
pub(super) fn line(plan: Option<&Plan>, event: &Event) -> Option<(&'static str, String)> {
    let mark = if matches!(event, Event::Rejected { .. } | Event::StepRejected { .. }) {
        "■"
    } else if matches!(event, Event::ApprovalRequested { .. } | Event::ApprovalExpiring { .. }) {
        "…"
    } else {
        "+"
    };
    describe(plan, event).map(|text| (mark, text))
}

/// The event as a sentence; `None` if it is not about an approval.
pub(crate) fn describe(plan: Option<&Plan>, event: &Event) -> Option<String> {
    asked(plan, event).or_else(|| answered(plan, event))
}

fn asked(plan: Option<&Plan>, event: &Event) -> Option<String> {
    if let Event::ApprovalRequested { step, min, until, why, .. } = event {
        let people = if *min == 1 { String::new() } else { format!(" of {min} people") };
        let (name, until) = (name(plan, *step), moment::rfc3339(*until));
        return Some(format!("{name} awaits approval{people} until {until}: {}", out::text(why)));
    }
    let Event::ApprovalExpiring { step, percent, until } = event else { return None };
    let what = step.map_or_else(String::new, |step| format!("{} ", name(plan, step)));
    let until = moment::rfc3339(*until);
    Some(format!("{what}awaits approval until {until}, {percent} % of the time are over"))
}

fn answered(plan: Option<&Plan>, event: &Event) -> Option<String> {
    if let Event::Approved { by, .. } = event {
        return Some(format!("approved by {}", out::text(by)));
    }
    if let Event::StepApproved { step, by, .. } = event {
        return Some(format!("{} approved by {}", name(plan, *step), out::text(by)));
    }
    if let Event::Rejected { by, reason } = event {
        return Some(format!("rejected by {}{}", out::text(by), because(reason)));
    }
    let Event::StepRejected { step, by, reason, .. } = event else { return None };
    Some(format!("{} rejected by {}{}", name(plan, *step), out::text(by), because(reason)))
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", out::text(reason)) }
}

fn name(plan: Option<&Plan>, step: StepRef) -> String {
    let name = plan.map_or("?", |plan| plan.name(step.step));
    step.item.map_or_else(|| name.to_owned(), |item| format!("{name}[{item}]"))
}
