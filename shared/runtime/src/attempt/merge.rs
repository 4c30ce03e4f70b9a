//! One result out of what was performed and what was refused.

use heal_engine::Timestamp;
use heal_engine::message::{AttemptOutcome, AttemptResult};
use serde_json::{Value, json};

use super::admit::{Admission, Refusal};
use crate::action::{Performed, Target};

/// The attempt's result. Where something was performed, what was refused is said target by target, in warnings, follow-ups and the output `denied`;
/// where nothing was, the refusal is the result.
pub(super) fn merge(admission: Admission, performed: Option<Performed>) -> Performed {
    let Admission { refused, warnings, asked, .. } = admission;
    let Performed { mut result, proven_not_applied } = match performed {
        Some(performed) => performed,
        None => Performed { result: refusal(&refused), proven_not_applied: Vec::new() },
    };
    let was_performed = refused.len() < asked;
    if was_performed {
        for (target, refusal) in &refused {
            let why = why(refusal);
            result =
                result.warn(format!("{} was left alone: {why}", target.id)).follow_up(format!("{}: {why}", target.id));
        }
    }
    if asked > 1 && !refused.is_empty() {
        let denied =
            refused.iter().map(|(target, refusal)| json!({"target": target.id, "reason": why(refusal)})).collect();
        result.output.insert("denied".to_owned(), Value::Array(denied));
    }
    result.warnings.splice(0..0, warnings);
    Performed { result, proven_not_applied }
}

/// Nothing was let through: the most telling refusal stands for all. A denial says more than a cooldown, and both more than an outage.
fn refusal(refused: &[(Target, Refusal)]) -> AttemptResult {
    let violations: Vec<_> = refused
        .iter()
        .flat_map(|(_, refusal)| match refusal {
            Refusal::Denied(violations) => violations.clone(),
            Refusal::CoolingDown(_) | Refusal::Ended(_) => Vec::new(),
        })
        .collect();
    if refused.iter().any(|(_, refusal)| matches!(refusal, Refusal::Denied(_))) {
        return AttemptResult::new(AttemptOutcome::Denied { violations });
    }
    let cooling = refused.iter().filter_map(|(target, refusal)| match refusal {
        Refusal::CoolingDown(until) => Some((*until, target.id.clone())),
        Refusal::Denied(_) | Refusal::Ended(_) => None,
    });
    // The one that is free first: then another try is worth while.
    if let Some((until, target)) = cooling.min() {
        return AttemptResult::new(AttemptOutcome::CoolingDown { target, until });
    }
    let ended = refused.iter().find_map(|(_, refusal)| match refusal {
        Refusal::Ended(result) => Some(result.clone()),
        Refusal::Denied(_) | Refusal::CoolingDown(_) => None,
    });
    ended.unwrap_or_else(|| AttemptResult::no_op("there is nothing to touch", heal_engine::Map::new()))
}

fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Denied(violations) => {
            let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
            format!("denied by policy: {}", rules.join(", "))
        }
        Refusal::CoolingDown(Timestamp(until)) => format!("cooling down until {until} ms after the epoch"),
        Refusal::Ended(result) => match &result.outcome {
            AttemptOutcome::NoOp { reason: text }
            | AttemptOutcome::Unavailable { message: text, .. }
            | AttemptOutcome::Failed { message: text, .. }
            | AttemptOutcome::TimedOut { message: text }
            | AttemptOutcome::Unknown { message: text } => text.clone(),
            AttemptOutcome::Succeeded | AttemptOutcome::Denied { .. } | AttemptOutcome::CoolingDown { .. } => {
                "not touched".to_owned()
            }
        },
    }
}
