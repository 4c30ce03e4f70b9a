//! One result out of what was performed and what was refused.

use std::fmt;

use heal_engine::message::{AttemptOutcome, AttemptResult, Violation};
use heal_guard::GUARDRAILS_POLICY;
use serde_json::{Value, json};

use super::admit::{Admission, Refusal};
use crate::action::Target;

/// The attempt's result. If something was performed, warnings, follow-ups and the output `denied` name each refused target; if nothing was,
/// the refusal is the result. A target with nothing to do needs no follow-up.
pub(super) fn merge<F>(admission: Admission<F>, performed: Option<AttemptResult>) -> AttemptResult {
    let Admission { refused, warnings, asked, .. } = admission;
    let mut result = performed.unwrap_or_else(|| refusal(&refused));
    if refused.len() < asked {
        for (target, why) in &refused {
            result.warnings.push(format!("{} was left alone: {why}", target.id));
            if !why.is_no_op() {
                result.follow_up.push(format!("{}: {why}", target.id));
            }
        }
    }
    if asked > 1 && !refused.is_empty() {
        let denied = refused.iter().map(|(target, why)| json!({"target": target.id, "reason": why.to_string()}));
        result.output.insert("denied".to_owned(), Value::Array(denied.collect()));
    }
    result.warnings.splice(0..0, warnings);
    result
}

/// The result of an attempt that has to ask people first, whatever else was decided: it has done nothing. Of several targets the first says who
/// may approve; the next attempt asks for those of the others.
pub(super) fn approval_needed<F>(admission: &Admission<F>) -> Option<AttemptResult> {
    let asks = |refusal: &Refusal| match refusal {
        Refusal::NeedsApproval { violations, approvers } => Some((violations.clone(), approvers.clone())),
        Refusal::Denied(_) | Refusal::CoolingDown { .. } | Refusal::Ended(_) => None,
    };
    let mut asking = admission.refused.iter().filter_map(|(_, refusal)| asks(refusal));
    let (mut violations, approvers) = asking.next()?;
    for (more, _) in asking {
        violations.extend(more.into_iter().filter(|violation| !violations.contains(violation)).collect::<Vec<_>>());
    }
    Some(AttemptResult::new(AttemptOutcome::NeedsApproval { violations, approvers }))
}

/// Whether the result says nothing of its own about its effect, so that it matters what the action has proven.
pub(super) const fn can_be_not_applied(result: &AttemptResult) -> bool {
    match result.outcome {
        AttemptOutcome::Unavailable { .. } | AttemptOutcome::TimedOut { .. } => true,
        AttemptOutcome::Succeeded
        | AttemptOutcome::NoOp { .. }
        | AttemptOutcome::Denied { .. }
        | AttemptOutcome::NeedsApproval { .. }
        | AttemptOutcome::CoolingDown { .. }
        | AttemptOutcome::Failed { .. }
        | AttemptOutcome::Unknown { .. }
        | AttemptOutcome::Shadowed { .. } => false,
    }
}

/// Nothing was admitted: one refusal stands for all. A denial says more than a cooldown, both more than an outage, and that more than a target
/// with nothing to do.
fn refusal(refused: &[(Target, Refusal)]) -> AttemptResult {
    let mut violations = None;
    let mut cooling = None;
    let mut ended: Option<(&Target, &AttemptResult)> = None;
    let mut no_ops = 0_usize;
    for (target, refusal) in refused {
        match refusal {
            // `approval_needed` has answered for it.
            Refusal::NeedsApproval { .. } => {}
            Refusal::Denied(denied) => violations.get_or_insert_with(Vec::new).extend(denied.iter().cloned()),
            // The one that is free first: then another try may succeed.
            Refusal::CoolingDown { until, rule, is_budget } => {
                let this = (*until, &target.id, is_budget.then_some(rule));
                cooling = Some(cooling.map_or(this, |first| this.min(first)));
            }
            Refusal::Ended(result) => {
                let is_worse = ended.is_none_or(|(_, first)| is_no_op(first) && !is_no_op(result));
                no_ops += usize::from(is_no_op(result));
                ended = if is_worse { Some((target, result)) } else { ended };
            }
        }
    }
    match (violations, cooling, ended) {
        (Some(violations), _, _) => AttemptResult::new(AttemptOutcome::Denied { violations }),
        (None, Some((until, target, rule)), _) => {
            AttemptResult::new(AttemptOutcome::CoolingDown { target: target.clone(), until, rule: rule.cloned() })
        }
        (None, None, Some((target, result))) => one_of(no_ops, target, result),
        (None, None, None) => AttemptResult::no_op("there is nothing to touch", heal_engine::Map::new()),
    }
}

/// `result`, which stands for all; if it is one of several with nothing to do, its reason says so.
fn one_of(no_ops: usize, target: &Target, result: &AttemptResult) -> AttemptResult {
    let mut result = result.clone();
    if let AttemptOutcome::NoOp { reason } = &mut result.outcome
        && no_ops > 1
    {
        *reason = format!("there is nothing to do for {no_ops} targets; {}: {reason}", target.id);
    }
    result
}

const fn is_no_op(result: &AttemptResult) -> bool {
    matches!(result.outcome, AttemptOutcome::NoOp { .. })
}

/// Who denied, as the beginning of a sentence.
pub(super) fn denied_by(violations: &[Violation]) -> &'static str {
    let is_guarded = !violations.is_empty() && violations.iter().all(|one| one.policy == GUARDRAILS_POLICY);
    if is_guarded { "denied by the guardrails" } else { "denied by policy" }
}

impl Refusal {
    const fn is_no_op(&self) -> bool {
        match self {
            Self::Ended(result) => is_no_op(result),
            Self::Denied(_) | Self::NeedsApproval { .. } | Self::CoolingDown { .. } => false,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(violations) => {
                let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
                write!(f, "{}: {}", denied_by(violations), rules.join(", "))
            }
            Self::NeedsApproval { .. } => f.write_str("it awaits an approval"),
            Self::CoolingDown { rule, .. } => write!(f, "cooling down: {rule}"),
            Self::Ended(result) => f.write_str(match &result.outcome {
                AttemptOutcome::NoOp { reason: text }
                | AttemptOutcome::Unavailable { message: text, .. }
                | AttemptOutcome::Failed { message: text, .. }
                | AttemptOutcome::TimedOut { message: text }
                | AttemptOutcome::Unknown { message: text }
                | AttemptOutcome::Shadowed { would: text, .. } => text,
                AttemptOutcome::Succeeded
                | AttemptOutcome::Denied { .. }
                | AttemptOutcome::NeedsApproval { .. }
                | AttemptOutcome::CoolingDown { .. } => "not touched",
            }),
        }
    }
}

#[cfg(test)]
mod tests;
