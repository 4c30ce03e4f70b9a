use heal_engine::{Map, Timestamp};

use super::*;
use crate::port::PolicyResource;

fn violation(policy: &str, rule: &str) -> Violation {
    Violation { policy: policy.to_owned(), rule: rule.to_owned(), msg: "no".to_owned(), severity: "high".to_owned() }
}

fn denied() -> Refusal {
    Refusal::Denied(vec![violation("p", "forbidden")])
}

fn no_op() -> Refusal {
    Refusal::Ended(AttemptResult::no_op("it is done", Map::new()))
}

fn failed(message: &str) -> Refusal {
    Refusal::Ended(AttemptResult::failed("code", message))
}

fn cooling(until: u64) -> Refusal {
    Refusal::CoolingDown { until: Timestamp(until), rule: format!("until {until}"), is_budget: true }
}

/// Of so many targets, those that were refused; they are called `0`, `1` and so on.
fn admission(asked: usize, refused: impl IntoIterator<Item = Refusal>) -> Admission<()> {
    let target = |number: usize| Target::new(number.to_string(), PolicyResource::default());
    let refused = refused.into_iter().enumerate().map(|(number, refusal)| (target(number), refusal)).collect();
    Admission {
        admitted: Vec::new(),
        counted: Vec::new(),
        refused,
        warnings: Vec::new(),
        asked,
        decisions: Vec::new(),
        intent_stored: false,
    }
}

fn done() -> AttemptResult {
    AttemptResult::succeeded(Map::new())
}

/// The result of an attempt whose targets were all refused.
fn all<const N: usize>(refused: [Refusal; N]) -> AttemptResult {
    merge(admission(N, refused), None)
}

#[test]
fn a_target_that_was_left_alone_is_a_warning_and_one_with_work_left_a_follow_up() {
    let result = merge(admission(3, [denied(), no_op()]), Some(done()));
    let why = "denied by policy: forbidden";
    assert_eq!(result.warnings, [format!("0 was left alone: {why}"), "1 was left alone: it is done".to_owned()]);
    assert_eq!(result.follow_up, [format!("0: {why}")]);
    let told = json!([{"target": "0", "reason": why}, {"target": "1", "reason": "it is done"}]);
    assert_eq!(result.output.get("denied"), Some(&told));
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
}

#[test]
fn what_was_done_whole_says_nothing_of_refusals() {
    for asked in [1, 2] {
        assert_eq!(merge(admission(asked, []), Some(done())), done());
    }
}

#[test]
fn if_every_target_was_refused_the_refusal_is_the_result() {
    let one = all([denied()]);
    assert!(matches!(one.outcome, AttemptOutcome::Denied { .. }), "{one:?}");
    assert_eq!((one.warnings.len(), one.follow_up.len(), one.output.len()), (0, 0, 0));
    let two = all([denied(), no_op()]);
    assert!(matches!(&two.outcome, AttemptOutcome::Denied { violations } if violations.len() == 1), "{two:?}");
    assert_eq!((two.warnings.len(), two.follow_up.len(), two.output.len()), (0, 0, 1), "each is named");
}

#[test]
fn of_the_targets_that_cool_down_the_first_one_that_is_free_is_named() {
    let result = all([cooling(7), cooling(5), cooling(6), failed("no answer")]);
    let (target, until, rule) = ("1".to_owned(), Timestamp(5), Some("until 5".to_owned()));
    assert_eq!(result.outcome, AttemptOutcome::CoolingDown { target, until, rule });
}

#[test]
fn a_failure_says_more_than_a_target_with_nothing_to_do_and_of_several_the_first_counts() {
    for refused in [[failed("first"), failed("second"), no_op()], [no_op(), failed("first"), failed("second")]] {
        let result = all(refused);
        assert!(matches!(&result.outcome, AttemptOutcome::Failed { message, .. } if message == "first"), "{result:?}");
    }
}

#[test]
fn several_targets_with_nothing_to_do_are_counted() {
    let because = |reason: &str| AttemptOutcome::NoOp { reason: reason.to_owned() };
    assert_eq!(all([no_op()]).outcome, because("it is done"));
    assert_eq!(all([no_op(), no_op()]).outcome, because("there is nothing to do for 2 targets; 0: it is done"));
    assert_eq!(all([]).outcome, because("there is nothing to touch"));
}

#[test]
fn people_are_asked_once_about_each_rule() {
    let asks = |rules: &[&str]| Refusal::NeedsApproval {
        violations: rules.iter().map(|rule| violation("p", rule)).collect(),
        approvers: vec![rules[0].to_owned()],
    };
    let result = approval_needed(&admission(4, [denied(), asks(&["a"]), asks(&["b", "a"]), asks(&["b", "c"])]));
    let Some(AttemptOutcome::NeedsApproval { violations, approvers }) = result.map(|result| result.outcome) else {
        panic!("nobody is asked")
    };
    let rules: Vec<_> = violations.iter().map(|violation| violation.rule.as_str()).collect();
    assert_eq!((rules, approvers), (vec!["a", "b", "c"], vec!["a".to_owned()]));
    assert_eq!(approval_needed(&admission(1, [denied()])), None);
}

#[test]
fn the_guardrails_are_named_if_nobody_else_denied() {
    let (guardrails, policy) = (violation(GUARDRAILS_POLICY, "window"), violation("p", "forbidden"));
    assert_eq!(denied_by(std::slice::from_ref(&guardrails)), "denied by the guardrails");
    for violations in [vec![], vec![policy.clone()], vec![guardrails, policy]] {
        assert_eq!(denied_by(&violations), "denied by policy");
    }
}

#[test]
fn an_outage_and_a_timeout_say_nothing_of_their_own_effect() {
    let (service, message) = ("lamps".to_owned(), "no answer".to_owned());
    let timed_out = AttemptOutcome::TimedOut { message: message.clone() };
    let outage = AttemptOutcome::Unavailable { service, message, retry_after_ms: None };
    assert!([timed_out, outage].map(AttemptResult::new).iter().all(can_be_not_applied));
    let no_op = AttemptResult::no_op("it is done", Map::new());
    assert!(![done(), no_op, AttemptResult::failed("code", "no")].iter().any(can_be_not_applied));
}
