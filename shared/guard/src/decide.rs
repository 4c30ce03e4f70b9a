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
mod tests {
    use super::*;
    use crate::Effect;

    fn question() -> Question {
        Question::new(Effect::new("restart_pod", "worker_failure_recovery", "worker-1"), Timestamp(1_000))
    }

    fn halt(scope: HaltScope, until: u64) -> Halt {
        let (since, until) = (Timestamp(0), Timestamp(until));
        Halt {
            id: "halt-1".to_owned(),
            scope,
            since,
            until,
            reason: "wait".to_owned(),
            by: "local:anna".to_owned(),
            storm: None,
        }
    }

    #[test]
    fn a_halt_holds_what_it_names_until_its_end() {
        let named = |name: &str| HaltScope::Target { name: name.to_owned() };
        for (scope, until, is_held) in [
            (HaltScope::All, 2_000, true),
            (HaltScope::All, 1_000, false),
            (named("worker-1"), 2_000, true),
            (named("worker-2"), 2_000, false),
        ] {
            let question = Question { halts: vec![halt(scope.clone(), until)], ..question() };
            let expected = if is_held { Verdict::Hold { until: Some(Timestamp(until)) } } else { Verdict::Proceed };
            assert_eq!(decide(&question).verdict, expected, "{scope} until {until}");
        }
    }

    #[test]
    fn an_approval_counts_for_what_it_was_given_for_and_from_those_whom_the_policy_names() {
        let digest = |text: &str| heal_engine::id::Digest::of(text.as_bytes());
        let approved = |text: &str, groups: &[&str]| heal_engine::message::Approved {
            digest: digest(text),
            by: vec!["local:anna".to_owned()],
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        };
        for (approvers, given, is_enough) in [
            (vec![], None, false),
            (vec![], Some(approved("this", &[])), true),
            (vec![], Some(approved("that", &[])), false),
            (vec!["oncall"], Some(approved("this", &[])), false),
            (vec!["oncall"], Some(approved("this", &["oncall"])), true),
            (vec!["oncall", "local:anna"], Some(approved("this", &[])), true),
        ] {
            let approvers: Vec<_> = approvers.into_iter().map(ToOwned::to_owned).collect();
            let (source, violations) = ("server".to_owned(), Vec::new());
            let policy = PolicyAnswer::RequireApproval { source, violations, approvers: approvers.clone() };
            let parameters_digest = Some(digest("this"));
            let question = Question { policy, approved: given, parameters_digest, ..question() };
            let expected = if is_enough { Verdict::Proceed } else { Verdict::NeedsApproval { who: approvers } };
            assert_eq!(decide(&question).verdict, expected, "{question:?}");
        }
    }

    #[test]
    fn every_part_gives_its_reason() {
        let (policy, rule) = ("heal".to_owned(), "no_restart".to_owned());
        let rule = Violation { policy, rule, msg: "not today".to_owned(), severity: "high".to_owned() };
        let policy = PolicyAnswer::Deny { source: "bundled".to_owned(), violations: vec![rule.clone()] };
        let question = Question { policy, halts: vec![halt(HaltScope::All, 2_000)], ..question() };
        let decision = decide(&question);
        let parts: Vec<_> = decision.reasons.iter().map(|reason| (reason.part, reason.verdict.as_str())).collect();
        assert_eq!(parts, [(Part::Switches, "hold"), (Part::Policy, "deny")]);
        assert_eq!(decision.verdict, Verdict::Hold { until: Some(Timestamp(2_000)) });
        let denied = decide(&Question { halts: Vec::new(), ..question });
        assert_eq!(denied.verdict, Verdict::Deny { rules: vec![rule] });
    }

    #[test]
    fn a_full_counter_holds_until_its_next_place_is_free_and_says_how_full_it_is() {
        let counter = |key: &str, used, full_until| {
            let (name, key) = ("budget \"restarts\"".to_owned(), key.to_owned());
            Counter { name, key, used, limit: 10, population: None, full_until }
        };
        let full = counter("", 10, Some(Timestamp(240_500)));
        let decision = decide(&Question { counters: vec![counter("worker-1", 3, None), full], ..question() });
        assert_eq!(decision.verdict, Verdict::Hold { until: Some(Timestamp(240_500)) });
        let texts: Vec<_> = decision.reasons.iter().skip(1).map(|reason| reason.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "budget \"restarts\" for worker-1: 3 of 10 used",
                "budget \"restarts\": 10 of 10 used, free again in 240 s"
            ]
        );
    }

    fn open(kind: WindowKind, approvers: &[&str]) -> OpenWindow {
        let (name, reason) = ("night".to_owned(), "nobody is here".to_owned());
        let approvers = approvers.iter().map(|&name| name.to_owned()).collect();
        OpenWindow { name, kind, until: Timestamp(61_000), approvers, reason }
    }

    #[test]
    fn an_open_window_denies_or_asks_until_one_of_its_approvers_has_approved() {
        let denied = decide(&Question { windows: vec![open(WindowKind::Deny, &[])], ..question() });
        let rule = violation("window night", "window night is open: nobody is here");
        assert_eq!(denied.verdict, Verdict::Deny { rules: vec![rule.clone()] });
        let text = "window night is open: nobody is here; it denies it, and closes in 60 s";
        assert_eq!(denied.reasons.last().map(|reason| reason.text.as_str()), Some(text));

        let asks = Question { windows: vec![open(WindowKind::Ask, &["oncall"])], ..question() };
        assert_eq!(decide(&asks).verdict, Verdict::NeedsApproval { who: vec!["oncall".to_owned()] });
        assert_eq!(asks.asking(), [rule]);
        let digest = heal_engine::id::Digest::of(b"this");
        for (groups, verdict) in [(&["oncall"][..], "proceed"), (&[], "needs_approval")] {
            let groups = groups.iter().map(|&group| group.to_owned()).collect();
            let by = vec!["local:anna".to_owned()];
            let approved = Some(heal_engine::message::Approved { digest: digest.clone(), by, groups });
            let question = Question { approved, parameters_digest: Some(digest.clone()), ..asks.clone() };
            assert_eq!(decide(&question).verdict.as_str(), verdict);
            assert_eq!(question.asking().is_empty(), verdict == "proceed");
        }
    }

    #[test]
    fn a_target_out_of_scope_is_denied_with_its_rule() {
        let out = OutOfScope {
            rule: "opt_out label team=payments".to_owned(),
            text: "worker-1 has the label team=payments".to_owned(),
        };
        let decision = decide(&Question { out_of_scope: vec![out.clone()], ..question() });
        assert_eq!(decision.verdict, Verdict::Deny { rules: vec![violation(&out.rule, &out.text)] });
        assert_eq!(decision.reasons.last().map(|reason| reason.part), Some(Part::Scope));
    }

    #[test]
    fn a_counter_of_a_share_says_of_how_many() {
        let population = Some(Population { percent: 10, of: 37 });
        assert_eq!(population.map(Population::places), Some(3));
        let (name, key) = ("budget \"pods\"".to_owned(), String::new());
        let counter = Counter { name, key, used: 1, limit: 3, population, full_until: None };
        let decision = decide(&Question { counters: vec![counter], ..question() });
        let text = decision.reasons.last().map(|reason| reason.text.as_str());
        assert_eq!(text, Some("budget \"pods\": 1 of 3 (10 % of 37) used"));
    }
}
