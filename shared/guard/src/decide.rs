//! The decision itself.

use heal_engine::Timestamp;
use heal_engine::message::{GUARDRAILS_POLICY, Violation};

use crate::decision::{Decision, Part, Reason, Verdict};
use crate::halt::{Halt, HaltScope};
use crate::question::{Counter, PolicyAnswer, Population, Question};
use crate::scope::OutOfScope;
use crate::window::{OpenWindow, WindowKind};

/// Decides on one effect. Pure: equal questions give equal decisions.
///
/// Every part gives its reason; the verdict of the highest rank wins, and of equal ones the first. A hold outranks a denial, since everything is
/// read anew after it.
pub fn decide(question: &Question) -> Decision {
    let mut reasons = vec![switches(question)];
    reasons.extend(question.windows.iter().map(|one| window(one, question)));
    reasons.extend(scope(question));
    reasons.extend(policy(question));
    reasons.extend(approvals(question));
    reasons.extend(question.counters.iter().map(|one| counter(one, question.now)));
    let verdict = reasons.iter().map(|reason| &reason.verdict).rev().max_by_key(|verdict| verdict.rank());
    Decision { verdict: verdict.cloned().unwrap_or(Verdict::Proceed), reasons }
}

fn switches(question: &Question) -> Reason {
    let holding = question.halts.iter().filter(|halt| halt.holds(&question.effect, question.now));
    match holding.max_by_key(|halt| halt.until) {
        None => Reason { part: Part::Switches, verdict: Verdict::Proceed, text: "nothing is halted".to_owned() },
        Some(halt) => {
            Reason { part: Part::Switches, verdict: Verdict::Hold { until: Some(halt.until) }, text: switch(halt) }
        }
    }
}

fn switch(halt: &Halt) -> String {
    match &halt.scope {
        HaltScope::Window { .. } | HaltScope::Dependency { .. } => halt.why(),
        scope @ (HaltScope::All
        | HaltScope::Playbook { .. }
        | HaltScope::Action { .. }
        | HaltScope::Service { .. }
        | HaltScope::Target { .. }) => format!("{scope} is halted by {}: {}", halt.by, halt.reason),
    }
}

fn window(window: &OpenWindow, question: &Question) -> Reason {
    let (verdict, wants) = match window.kind {
        WindowKind::Hold => (Verdict::Hold { until: Some(window.until) }, "holds it"),
        WindowKind::Deny => (Verdict::Deny { rules: vec![window.violation()] }, "denies it"),
        WindowKind::Ask if question.is_approved_by(&window.approvers) => (Verdict::Proceed, "asks for an approval"),
        WindowKind::Ask => (Verdict::NeedsApproval { who: window.approvers.clone() }, "asks for an approval"),
    };
    let closes = format!("closes in {} s", window.until.since_ms(question.now).div_ceil(1_000));
    Reason { part: Part::Windows, verdict, text: format!("{}; it {wants}, and {closes}", window.sentence()) }
}

/// A target that is in reach needs no word.
fn scope(question: &Question) -> Option<Reason> {
    let Question { out_of_scope, .. } = question;
    if out_of_scope.is_empty() {
        return None;
    }
    let rules: Vec<_> = out_of_scope.iter().map(OutOfScope::violation).collect();
    let texts: Vec<_> = out_of_scope.iter().map(|out| format!("{} ({})", out.text, out.rule)).collect();
    let text = format!("out of scope: {}", texts.join(", "));
    Some(Reason { part: Part::Scope, verdict: Verdict::Deny { rules }, text })
}

/// A rule of the guardrails, as the policy names its own.
pub(crate) fn violation(rule: &str, msg: &str) -> Violation {
    let [policy, rule, msg, severity] = [GUARDRAILS_POLICY, rule, msg, "high"].map(ToOwned::to_owned);
    Violation { policy, rule, msg, severity }
}

fn policy(question: &Question) -> Option<Reason> {
    let (verdict, text) = match &question.policy {
        PolicyAnswer::NotAsked => return None,
        PolicyAnswer::Allow { source } => (Verdict::Proceed, format!("the policy ({source}) allows it")),
        PolicyAnswer::Deny { source, violations } => (
            Verdict::Deny { rules: violations.clone() },
            format!("the policy ({source}) denies it{}", rules(violations)),
        ),
        PolicyAnswer::RequireApproval { source, violations, approvers } => {
            let is_given = question.is_approved_by(approvers);
            let verdict = if is_given { Verdict::Proceed } else { Verdict::NeedsApproval { who: approvers.clone() } };
            (verdict, format!("the policy ({source}) asks for an approval{}", rules(violations)))
        }
    };
    Some(Reason { part: Part::Policy, verdict, text })
}

/// An approval only answers what another part asks for: by itself it forbids nothing.
fn approvals(question: &Question) -> Option<Reason> {
    let approved = question.approved.as_ref()?;
    let by = approved.by.join(", ");
    let text = match question.valid_approval() {
        Some(_) => format!("approved by {by}"),
        None => format!("what {by} approved was something else, and does not count"),
    };
    Some(Reason { part: Part::Approvals, verdict: Verdict::Proceed, text })
}

fn counter(counter: &Counter, now: Timestamp) -> Reason {
    let Counter { name, key, used, limit, population, full_until } = counter;
    let verdict = full_until.map_or(Verdict::Proceed, |until| Verdict::Hold { until: Some(until) });
    let of_key = if key.is_empty() { String::new() } else { format!(" for {key}") };
    let free = full_until.map(|until| format!(", free again in {} s", until.since_ms(now).div_ceil(1_000)));
    let share = population.map(|Population { percent, of }| format!(" ({percent} % of {of})")).unwrap_or_default();
    let text = format!("{name}{of_key}: {used} of {limit}{share} used{}", free.unwrap_or_default());
    Reason { part: Part::Counters, verdict, text }
}

fn rules(violations: &[Violation]) -> String {
    let rules: Vec<_> = violations.iter().map(|violation| format!("{} ({})", violation.rule, violation.msg)).collect();
    if rules.is_empty() { String::new() } else { format!(": {}", rules.join(", ")) }
}

#[cfg(test)]
mod tests;
