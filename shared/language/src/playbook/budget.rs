//! Times that cannot fit into the run's.

use super::document::Document;
use super::order::Order;
use super::step::Draft;
use crate::code;
use crate::report::{Finding, Report};
use crate::yaml::{Kind, Node};
use heal_engine::limit;

pub(super) fn check(document: &Document<'_>, order: &Order, report: &mut Report) {
    let whole = document.timeout_seconds;
    for step in &document.steps {
        let times = [(step.timeout, "a step's timeout"), (step.within, "`within_seconds`")];
        for ((seconds, span), what) in times.into_iter().filter_map(|(time, what)| Some((time?, what))) {
            if seconds > whole {
                let message = format!("{what} is {seconds} seconds, the whole run has {whole} seconds");
                report.add(
                    Finding::error(code::BUDGET_EXCEEDED, span, message)
                        .help("raise `timeout_seconds` of the playbook"),
                );
            }
        }
    }
    check_waits(document, order, report);
}

/// The waits that follow each other, along the path on which they are longest.
fn check_waits(document: &Document<'_>, order: &Order, report: &mut Report) {
    let whole = seconds(document.timeout_seconds);
    let mut waited = vec![0.0_f64; document.steps.len()];
    for index in &order.sequence {
        let needs = order.needs.get(*index).into_iter().flatten();
        let before = needs.filter_map(|need| waited.get(*need)).fold(0.0_f64, |longest, seconds| longest.max(*seconds));
        let Some(step) = document.steps.get(*index) else { continue };
        let own = wait_seconds(step);
        let is_sane = own <= seconds(limit::DURATION_SECONDS);
        if is_sane && before < whole && before + own >= whole {
            let message =
                format!("up to here the waits take {} seconds, the whole run has {whole} seconds", before + own);
            let span = step.parameters.and_then(|node| node.child("seconds")).map_or(step.place, |node| node.span);
            report.add(
                Finding::error(code::BUDGET_EXCEEDED, span, message).help("raise `timeout_seconds` of the playbook"),
            );
        }
        if let Some(slot) = waited.get_mut(*index) {
            *slot = before + own;
        }
    }
}

/// Exact: durations are far below 32 bits.
pub(super) fn seconds(whole: u64) -> f64 {
    u32::try_from(whole).map_or(f64::MAX, f64::from)
}

fn wait_seconds(step: &Draft<'_>) -> f64 {
    let seconds = step.parameters.filter(|_| step.is_wait()).and_then(|node: &Node| node.child("seconds"));
    match seconds.map(|node| &node.kind) {
        Some(Kind::Number(number)) => number.as_f64().unwrap_or(0.0).max(0.0),
        Some(Kind::Null | Kind::Boolean(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_)) | None => 0.0,
    }
}
