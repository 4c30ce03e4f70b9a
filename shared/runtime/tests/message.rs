//! The format of messages between functions: golden files of every version that this build has to read, one per kind.
//!
//! A change of the format adds a folder, and leaves the older ones as they are.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use heal_engine::format;
use heal_engine::id::Digest;
use heal_engine::message::{HeldCommand, Hold, LateCommand};
use heal_guard::{Halt, HaltScope};
use heal_runtime::message::Inbound;
use heal_runtime::{ActionResult, AttemptOutcome, AttemptResult, RunId, Timestamp, Token};
use serde_json::json;

fn messages() -> [(&'static str, Inbound); 14] {
    let (run_id, note) = (RunId::new("run-1"), Some("the pod is up again".to_owned()));
    let outcome = AttemptOutcome::Unavailable {
        service: "ticket service".to_owned(),
        message: "connection refused".to_owned(),
        retry_after_ms: Some(2_000),
    };
    let result = AttemptResult {
        output: json!({"ticket_id": "T-1"}).as_object().unwrap().clone(),
        ..AttemptResult::new(outcome).warn("the policy was not asked").follow_up("check T-1")
    };
    let result = ActionResult {
        run_id: run_id.clone(),
        step: "move_ticket".to_owned(),
        item: Some(3),
        attempt: 2,
        token: Token::new("token-1"),
        finished_at: Timestamp(1_800_000_000_000),
        started_at: None,
        result,
    };
    let (would, targets) = ("would move ticket \"T-1\"".to_owned(), vec!["T-1".to_owned()]);
    let would = AttemptOutcome::Shadowed { would, targets };
    let shadowed = ActionResult { result: AttemptResult::new(would), ..result.clone() };
    let late = LateCommand {
        run_id: run_id.clone(),
        step: "move_ticket".to_owned(),
        item: Some(3),
        attempt: 2,
        token: Token::new("token-1"),
        taken_at: Timestamp(1_800_000_000_000),
    };
    let until = Timestamp(1_800_000_600_000);
    let held = HeldCommand {
        run_id: run_id.clone(),
        step: "move_ticket".to_owned(),
        item: Some(3),
        attempt: 2,
        token: Token::new("token-1"),
        hold: Hold {
            by: "local:anna".to_owned(),
            reason: "a deployment".to_owned(),
            halt: Some("halt-1".to_owned()),
            until: Some(until),
        },
        may_have_acted: true,
    };
    let halt = Halt {
        id: "halt-1".to_owned(),
        scope: HaltScope::Playbook { name: "ticket_timeout_recovery".to_owned() },
        since: Timestamp(1_800_000_000_000),
        until,
        reason: "a deployment".to_owned(),
        by: "local:anna".to_owned(),
        storm: None,
    };
    let by = || "local:anna".to_owned();
    let outcome = AttemptOutcome::NeedsApproval { violations: Vec::new(), approvers: vec!["oncall".to_owned()] };
    let asks = ActionResult { item: None, attempt: 1, result: AttemptResult::new(outcome), ..result.clone() };
    let answer = Inbound::ApprovalAnswer {
        run_id: run_id.clone(),
        step: Some("move_ticket".to_owned()),
        item: Some(3),
        digest: Digest::new("0a1b"),
        by: "local:ann".to_owned(),
        rejection: Some("not now".to_owned()),
    };
    [
        (include_str!("messages/v3/held.json"), Inbound::Held(Box::new(held))),
        (include_str!("messages/v3/halt.json"), Inbound::Halt(Box::new(halt))),
        (include_str!("messages/v3/resume.json"), Inbound::Resume { id: "halt-1".to_owned(), by: by() }),
        (
            include_str!("messages/v3/hold.json"),
            Inbound::Hold { run_id: run_id.clone(), by: by(), reason: "let me look".to_owned() },
        ),
        (
            include_str!("messages/v3/release.json"),
            Inbound::Release { run_id: run_id.clone(), by: by(), reason: "looks good".to_owned() },
        ),
        (include_str!("messages/v3/needs_approval.json"), Inbound::Result(Box::new(asks))),
        (include_str!("messages/v3/approval_answer.json"), answer),
        (include_str!("messages/v2/late.json"), Inbound::Late(Box::new(late))),
        (include_str!("messages/v1/result.json"), Inbound::Result(Box::new(result))),
        (include_str!("messages/v3/shadowed.json"), Inbound::Result(Box::new(shadowed))),
        (include_str!("messages/v1/wake.json"), Inbound::Wake { run_id: run_id.clone() }),
        (
            include_str!("messages/v1/approve.json"),
            Inbound::Approve { run_id: run_id.clone(), by: "somebody".to_owned() },
        ),
        (
            include_str!("messages/v1/cancel.json"),
            Inbound::Cancel { run_id: run_id.clone(), by: "somebody".to_owned() },
        ),
        (
            include_str!("messages/v2/follow_up_done.json"),
            Inbound::FollowUpDone { run_id, id: "0a1b2c3d".to_owned(), by: "somebody".to_owned(), note },
        ),
    ]
}

#[test]
fn every_kind_is_read_and_written_as_in_its_golden_file() {
    for (golden, message) in messages() {
        assert_eq!(Inbound::parse(golden).unwrap(), message);
        assert_eq!(message.to_body(), golden.trim());
    }
}

#[test]
fn what_a_queue_attests_is_who_answers_whatever_the_body_says() {
    for (_, message) in messages() {
        let by = |message: &Inbound| match message {
            Inbound::Approve { by, .. }
            | Inbound::Cancel { by, .. }
            | Inbound::Hold { by, .. }
            | Inbound::Release { by, .. }
            | Inbound::Resume { by, .. }
            | Inbound::ApprovalAnswer { by, .. }
            | Inbound::FollowUpDone { by, .. } => Some(by.clone()),
            Inbound::Halt(halt) => Some(halt.by.clone()),
            Inbound::Result(_) | Inbound::Late(_) | Inbound::Held(_) | Inbound::Wake { .. } => None,
        };
        let claimed = by(&message);
        assert_eq!(by(&message.clone().attested(None)), claimed);
        let attested = by(&message.attested(Some("iam:AROAEXAMPLE:ann")));
        assert_eq!(attested, claimed.map(|_| "iam:AROAEXAMPLE:ann".to_owned()));
    }
}

#[test]
fn an_unknown_field_is_ignored_and_a_newer_version_is_named() {
    let later = r#"{"kind":"wake","run_id":"run-1","added_later":true}"#;
    assert_eq!(Inbound::parse(later).unwrap(), Inbound::Wake { run_id: RunId::new("run-1") });
    let newer = Inbound::parse(r#"{"format":4,"kind":"wake","run_id":"run-1"}"#).unwrap_err();
    assert!(matches!(newer, format::Error::Newer { observed: 4, supported: 3, .. }), "{newer:?}");
    for malformed in ["", "{}", r#"{"kind":"dance","run_id":"run-1"}"#] {
        let error = Inbound::parse(malformed).unwrap_err();
        assert!(matches!(error, format::Error::Malformed { .. }), "{malformed}: {error:?}");
    }
}
