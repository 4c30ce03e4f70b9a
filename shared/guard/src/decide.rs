//! The decision itself.

use heal_engine::Timestamp;
use heal_engine::message::Violation;

use crate::decision::{Decision, Part, Reason, Verdict};
use crate::question::{Counter, PolicyAnswer, Question};

/// Decides on one effect. Pure: equal questions give equal decisions.
///
/// Every part gives its reason; the verdict of the highest rank wins, and of equal ones the first. A hold outranks a denial, since everything is
/// read anew after it.
pub fn decide(question: &Question) -> Decision {
    let mut reasons = vec![switches(question)];
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
        Some(halt) => Reason {
            part: Part::Switches,
            verdict: Verdict::Hold { until: Some(halt.until) },
            text: format!("{} is halted by {}: {}", halt.scope, halt.by, halt.reason),
        },
    }
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
            let is_given = question.valid_approval().is_some_and(|approved| approved.is_by_one_of(approvers));
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
    let Counter { name, key, used, limit, full_until } = counter;
    let verdict = full_until.map_or(Verdict::Proceed, |until| Verdict::Hold { until: Some(until) });
    let of_key = if key.is_empty() { String::new() } else { format!(" for {key}") };
    let free = full_until.map(|until| format!(", free again in {} s", until.since_ms(now).div_ceil(1_000)));
    let text = format!("{name}{of_key}: {used} of {limit} used{}", free.unwrap_or_default());
    Reason { part: Part::Counters, verdict, text }
}

fn rules(violations: &[Violation]) -> String {
    let rules: Vec<_> = violations.iter().map(|violation| format!("{} ({})", violation.rule, violation.msg)).collect();
    if rules.is_empty() { String::new() } else { format!(": {}", rules.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Effect, Halt, HaltScope};

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
            Counter { name, key, used, limit: 10, full_until }
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
}
