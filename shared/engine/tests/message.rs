//! What the engine and its actions tell each other: words, keys, proofs and bounds.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use heal_engine::event::{RunOutcome, RunStatus, StepOutcome};
use heal_engine::format;
use heal_engine::message::{
    ActionCommand, Approved, AttemptOutcome, AttemptResult, Context, Violation, cut, digest_parameters, digest_shadowed,
};
use heal_engine::{Digest, Map, RunId, Timestamp, Token, limit};
use serde::Serialize;
use serde_json::{Value, json};

fn violation(msg: &str) -> Violation {
    let [policy, rule, severity] = ["p", "r", "high"].map(ToOwned::to_owned);
    Violation { policy, rule, msg: msg.to_owned(), severity }
}

/// Every way in which an attempt can end, with `text` where it has one.
fn outcomes(text: &str) -> [AttemptOutcome; 10] {
    let message = || text.to_owned();
    [
        AttemptOutcome::Succeeded,
        AttemptOutcome::NoOp { reason: message() },
        AttemptOutcome::Denied { violations: vec![violation(text)] },
        AttemptOutcome::NeedsApproval { violations: vec![violation(text)], approvers: Vec::new() },
        AttemptOutcome::CoolingDown { target: "t".to_owned(), until: Timestamp(9), rule: Some(message()) },
        AttemptOutcome::Unavailable { service: "ets".to_owned(), message: message(), retry_after_ms: None },
        AttemptOutcome::Failed { code: "broken".to_owned(), message: message(), retryable: false },
        AttemptOutcome::TimedOut { message: message() },
        AttemptOutcome::Unknown { message: message() },
        AttemptOutcome::Shadowed { would: message(), targets: vec![message()] },
    ]
}

fn word(value: impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

#[test]
fn an_outcome_has_the_word_that_the_log_has() {
    for outcome in outcomes("x") {
        assert_eq!(word(&outcome)["ending"], outcome.as_str());
    }
    for outcome in StepOutcome::ALL {
        assert_eq!(word(outcome), outcome.as_str());
    }
    for status in RunStatus::ALL {
        assert_eq!(word(status), status.as_str());
    }
}

#[test]
fn the_statuses_of_ended_runs_are_those_that_an_outcome_has() {
    let ended = [
        RunOutcome::Healed,
        RunOutcome::Completed,
        RunOutcome::Degraded,
        RunOutcome::NotHealed,
        RunOutcome::Failed,
        RunOutcome::Denied,
        RunOutcome::Timeout,
        RunOutcome::Cancelled,
        RunOutcome::Escalated,
        RunOutcome::Shadowed,
    ]
    .map(RunOutcome::status);
    for status in RunStatus::ALL {
        assert_eq!(status.is_terminal(), ended.contains(&status), "{status:?}");
    }
}

#[test]
fn only_what_an_older_build_cannot_read_needs_the_second_version() {
    for outcome in outcomes("x") {
        let is_new = matches!(outcome, AttemptOutcome::Shadowed { .. } | AttemptOutcome::NeedsApproval { .. });
        let result = AttemptResult::new(outcome);
        assert_eq!(format::version(&format::encode(&result)).unwrap(), if is_new { 2 } else { 1 }, "{result:?}");
        assert_eq!(result.needs_approval(), result.outcome.as_str() == "needs_approval");
    }
}

#[test]
fn an_attempt_is_proven_not_applied_by_how_it_ended_and_by_no_earlier_worker() {
    for outcome in outcomes("x") {
        let result = AttemptResult::new(outcome);
        let says_itself =
            matches!(result.outcome, AttemptOutcome::Unavailable { .. } | AttemptOutcome::TimedOut { .. });
        let is_open = matches!(result.outcome, AttemptOutcome::Succeeded | AttemptOutcome::Unknown { .. });
        let (not_applied, may_have_acted) = (true, true);
        assert_eq!(result.is_proven_not_applied(), !says_itself && !is_open, "{result:?}");
        assert_eq!(AttemptResult { not_applied, ..result.clone() }.is_proven_not_applied(), !is_open, "{result:?}");
        assert!(!AttemptResult { may_have_acted, ..result.clone() }.is_proven_not_applied(), "{result:?}");
    }
}

#[test]
fn a_result_keeps_its_texts_within_their_bounds() {
    let long = "x".repeat(limit::TEXT_BYTES + 7);
    for outcome in outcomes(&long) {
        let kept = serde_json::to_string(&AttemptResult::new(outcome.clone()).capped()).unwrap();
        assert_eq!(kept.contains("(7 bytes cut)"), outcome != AttemptOutcome::Succeeded, "{kept}");
    }
    let notes = vec![long; limit::NOTES + 1];
    let result = AttemptResult { warnings: notes.clone(), follow_up: notes, ..AttemptResult::succeeded(Map::new()) };
    for list in [&result.clone().capped().warnings, &result.capped().follow_up] {
        assert_eq!((list.len(), list[0].ends_with("… (7 bytes cut)")), (limit::NOTES, true));
    }
    let targets = vec!["x".repeat(limit::SHADOWED_TARGET_BYTES + 1); limit::SHADOWED_TARGETS + 1];
    let shadowed = AttemptResult::new(AttemptOutcome::Shadowed { would: String::new(), targets }).capped();
    let AttemptOutcome::Shadowed { targets, .. } = shadowed.outcome else { panic!("{shadowed:?}") };
    assert_eq!((targets.len(), targets[0].ends_with("… (1 bytes cut)")), (limit::SHADOWED_TARGETS, true));
}

#[test]
fn the_smallest_outputs_that_fit_are_kept_and_the_others_are_named() {
    let around = json!({"a": ""}).to_string().len();
    let output = |bytes: usize| Map::from_iter([("a".to_owned(), "x".repeat(bytes - around).into())]);
    let kept = |output: Map| AttemptResult::succeeded(output).capped().output;
    assert!(kept(output(limit::OUTPUT_BYTES)) == output(limit::OUTPUT_BYTES));
    assert!(Value::Object(kept(output(limit::OUTPUT_BYTES + 1))) == json!({"_cut": ["a"]}));
    // A value counts with its key, two quotes, a colon and a comma; all values count with two braces, less a comma.
    let of = |bytes: usize| Value::String("x".repeat(bytes - 2 - 1 - 4));
    let half = limit::OUTPUT_BYTES / 2;
    let names = |second: usize| {
        let values = [("a", of(half)), ("b", of(second)), ("c", of(half + 9))];
        let output = values.map(|(key, value)| (key.to_owned(), value));
        let kept = kept(Map::from_iter(output));
        (kept["_cut"].clone(), kept.contains_key("a"), kept.contains_key("b"))
    };
    assert_eq!(names(half - 1), (json!(["c"]), true, true));
    assert_eq!(names(half), (json!(["b", "c"]), true, false));
}

#[test]
fn a_success_and_a_result_without_anything_to_do_have_their_output() {
    let output = Map::from_iter([("a".to_owned(), 1.into())]);
    assert_eq!(AttemptResult::succeeded(output.clone()).output, output);
    assert_eq!(AttemptResult::no_op("nothing to do", output.clone()).output, output);
}

#[test]
fn a_text_is_cut_between_characters() {
    let cut_to = |text: &str, bytes| {
        let mut text = text.to_owned();
        cut(&mut text, bytes);
        text
    };
    assert_eq!(cut_to("abcd", 4), "abcd");
    assert_eq!(cut_to("abcd", 3), "abc… (1 bytes cut)");
    assert_eq!(cut_to("aéb", 2), "a… (2 bytes cut)");
}

#[test]
fn an_approval_is_by_an_identity_or_a_group_that_is_named() {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let given = Approved { digest: Digest::of(b""), by: names(&["local:ann"]), groups: names(&["oncall"]) };
    for (approvers, is_enough) in [
        (&[][..], true),
        (&["local:ann"], true),
        (&["oncall"], true),
        (&["local:bob", "oncall"], true),
        (&["local:bob"], false),
    ] {
        assert_eq!(given.is_by_one_of(&names(approvers)), is_enough, "{approvers:?}");
    }
}

fn command(shadow: bool, digest: Digest) -> ActionCommand {
    let context =
        Context { incident_id: "i".to_owned(), playbook: "p".to_owned(), workflow_id: None, traceparent: None };
    ActionCommand {
        run_id: RunId::new("run-1"),
        incarnation: None,
        step: "act".to_owned(),
        item: None,
        attempt: 2,
        token: Token::new("t"),
        action: "act".to_owned(),
        parameters: Map::new(),
        parameters_digest: digest,
        issued_at: Timestamp(1),
        deadline: Timestamp(2),
        timeout_ms: None,
        effect_key: None,
        shadow,
        context,
        commands_sent: 1,
        approved: None,
    }
}

#[test]
fn a_command_is_refused_if_its_parameters_or_its_mark_are_not_those_of_the_log() {
    let (live, shadowed) = (digest_parameters(&Map::new()), digest_shadowed(&Map::new()));
    assert_ne!(live, shadowed);
    assert_eq!(command(false, live.clone()).check_digest(), Ok(()));
    assert_eq!(command(true, shadowed.clone()).check_digest(), Ok(()));
    assert_eq!(command(false, shadowed.clone()).check_digest(), Err(live.clone()));
    assert_eq!(command(true, live).check_digest(), Err(shadowed));
}

#[test]
fn a_claim_is_named_by_run_step_element_and_attempt() {
    let plain = command(false, Digest::of(b""));
    let named = ActionCommand { incarnation: Some(Timestamp(5)), item: Some(3), ..plain.clone() };
    assert_eq!([plain.attempt_key(), named.attempt_key()], ["run-1/act/2", "run-1@5/act[3]/2"]);
    // A command of an older build has no key of its effect.
    assert_eq!(plain.idempotency_key(), "run-1/act/2");
    let keyed = ActionCommand { effect_key: Some("run-1/act".to_owned()), ..plain };
    assert_eq!(keyed.idempotency_key(), "run-1/act");
}

#[test]
fn the_trace_of_a_run_is_the_second_field_of_its_traceparent() {
    let traced = |traceparent: Option<&str>| {
        let context = command(false, Digest::of(b"")).context;
        Context { traceparent: traceparent.map(ToOwned::to_owned), ..context }.trace_id().map(ToOwned::to_owned)
    };
    assert_eq!(traced(Some("00-4bf92f-00f067-01")).as_deref(), Some("4bf92f"));
    assert_eq!([traced(None), traced(Some("00"))], [None, None]);
}
