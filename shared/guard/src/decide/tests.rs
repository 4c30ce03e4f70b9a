use super::*;
use crate::{Effect, Selector};

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
        ["budget \"restarts\" for worker-1: 3 of 10 used", "budget \"restarts\": 10 of 10 used, free again in 240 s"]
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

fn said(question: &Question, part: Part) -> Option<String> {
    decide(question).reasons.into_iter().find(|reason| reason.part == part).map(|reason| reason.text)
}

#[test]
fn a_halt_says_what_is_halted_by_whom_and_why() {
    let (name, applies_to) = ("restart_pod".to_owned(), Selector::default());
    for (scope, text) in [
        (HaltScope::All, "everything is halted by local:anna: wait"),
        (HaltScope::Action { name: name.clone() }, "action restart_pod is halted by local:anna: wait"),
        (HaltScope::Window { name: name.clone(), applies_to: applies_to.clone() }, "window restart_pod is open: wait"),
        (HaltScope::Dependency { name, applies_to }, "restart_pod is sick: wait"),
    ] {
        let question = Question { halts: vec![halt(scope, 2_000)], ..question() };
        assert_eq!(said(&question, Part::Switches).as_deref(), Some(text));
    }
    assert_eq!(said(&question(), Part::Switches).as_deref(), Some("nothing is halted"));
}

#[test]
fn an_approval_is_named_and_one_of_something_else_is_said_not_to_count() {
    let digest = heal_engine::id::Digest::of(b"this");
    let by = vec!["local:anna".to_owned(), "local:ben".to_owned()];
    let approved = Some(heal_engine::message::Approved { digest: digest.clone(), by, groups: Vec::new() });
    let other = Question { approved, ..question() };
    let this = Question { parameters_digest: Some(digest), ..other.clone() };
    assert_eq!(said(&question(), Part::Approvals), None);
    assert_eq!(said(&this, Part::Approvals).as_deref(), Some("approved by local:anna, local:ben"));
    assert_eq!(
        said(&other, Part::Approvals).as_deref(),
        Some("what local:anna, local:ben approved was something else, and does not count")
    );
}
