//! What a build makes of texts that an older or a newer build wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::Run;
use heal_engine::PlanError;
use heal_engine::event::{Event, RunOutcome};
use heal_engine::format::{self, Error, Format};
use heal_engine::message::{ActionCommand, AttemptOutcome, AttemptResult};
use heal_engine::{Command, Digest, Map, Plan, StepRef, Timestamp, Token};
use serde::{Deserialize, Serialize};

/// A type in its third version: the second one added `by`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Note {
    text: String,
    #[serde(default)]
    by: Option<String>,
}

impl Format for Note {
    const NAME: &'static str = "note";
    const VERSION: u32 = 3;
}

#[test]
fn a_later_version_is_written_and_every_earlier_one_is_read() {
    let note = Note { text: "a".to_owned(), by: Some("ann".to_owned()) };
    let text = format::encode(&note);
    assert_eq!(text, r#"{"format":3,"text":"a","by":"ann"}"#);
    assert_eq!(format::decode::<Note>(&text).unwrap(), note);
    for older in [r#"{"text":"a"}"#, r#"{"format":1,"text":"a"}"#, r#"{"text":"a","format":2,"since":7}"#] {
        assert_eq!(format::decode::<Note>(older).unwrap(), Note { text: "a".to_owned(), by: None }, "{older}");
    }
}

#[test]
fn a_newer_version_is_refused_with_both_versions_whatever_else_the_text_holds() {
    for text in [r#"{"format":4,"text":"a"}"#, r#"{"format":4,"words":["a"]}"#] {
        let error = format::decode::<Note>(text).unwrap_err();
        assert!(matches!(error, Error::Newer { name: "note", observed: 4, supported: 3 }), "{error:?}");
        let expected = "failed to read note: format 4 is newer than this build's format 3; upgrade heal";
        assert_eq!(error.to_string(), expected);
    }
    let error = format::decode::<ActionCommand>(r#"{"format":2}"#).unwrap_err();
    assert!(matches!(error, Error::Newer { observed: 2, supported: 1, .. }), "{error:?}");
    let events = r#"{"format":7,"events":[]}"#;
    let error = format::decode::<Vec<Event>>(events).unwrap_err();
    assert!(matches!(error, Error::Newer { observed: 7, supported: 6, .. }), "{error:?}");
}

#[test]
fn an_unknown_event_is_refused_by_its_name() {
    let list = r#"[{"event":"verify_started"},{"event":"run_paused","by":"ann"}]"#;
    for (text, format) in [(list.to_owned(), 1), (format!(r#"{{"format":2,"events":{list}}}"#), 2)] {
        let error = format::decode::<Vec<Event>>(&text).unwrap_err();
        let expected = format!(
            "failed to read run events: event `run_paused` (format {format}) is unknown to this build's format 6; upgrade heal"
        );
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn events_are_written_in_the_oldest_version_that_can_hold_them() {
    let end = |outcome| vec![Event::VerifyStarted, Event::RunEnded { outcome, reason: None }];
    let withdrawn = Event::RunWithdrawn { reason: "the alert is over".to_owned() };
    let withdrawn_and_degraded = [vec![withdrawn], end(RunOutcome::Degraded)].concat();
    let reissued = Event::AttemptReissued {
        step: StepRef::whole(0),
        attempt: 1,
        token: Token::new("secret"),
        deadline: Timestamp(5),
        reason: "late".to_owned(),
    };
    let reissued = [end(RunOutcome::Degraded), vec![reissued]].concat();
    let released = vec![Event::RunReleased { by: "local:ann".to_owned(), reason: "resumed".to_owned() }];
    let rejected = vec![Event::Rejected { by: "local:ann".to_owned(), reason: String::new() }];
    let ended = |outcome| Event::AttemptEnded {
        step: StepRef::whole(0),
        attempt: 1,
        result: AttemptResult::new(outcome),
        started_at: None,
        finished_at: None,
    };
    let cases = [
        (end(RunOutcome::Healed), 1),
        (end(RunOutcome::Degraded), 2),
        (withdrawn_and_degraded, 3),
        (reissued, 3),
        (released, 4),
        (end(RunOutcome::Escalated), 4),
        (end(RunOutcome::Shadowed), 4),
        (rejected, 4),
        (vec![ended(AttemptOutcome::Succeeded)], 1),
        (vec![ended(AttemptOutcome::NeedsApproval { violations: Vec::new(), approvers: Vec::new() })], 4),
        (vec![ended(AttemptOutcome::Shadowed { would: String::new(), targets: Vec::new() })], 4),
        (vec![Event::RunQueued], 5),
        (vec![Event::RunAdmitted], 5),
        (format::decode(include_str!("golden/events/run_started.json")).unwrap(), 1),
        (format::decode(include_str!("golden/events/run_started_named.json")).unwrap(), 6),
    ];
    for (events, version) in cases {
        let text = format::encode(&events);
        assert_eq!(format::version(&text).unwrap(), version, "{text}");
        assert_eq!(format::decode::<Vec<Event>>(&text).unwrap(), events);
    }
}

#[test]
fn a_damaged_text_is_neither_newer_nor_an_unknown_event() {
    for text in ["", "[", r#"[{"event":"approved"}]"#, r#"[{"by":"ann"}]"#, r#"{"format":"2"}"#, r#"{"format":0}"#] {
        let error = format::decode::<Vec<Event>>(text).unwrap_err();
        assert!(matches!(error, Error::Malformed { .. }), "{text}: {error:?}");
    }
}

#[test]
fn an_unknown_field_of_an_event_is_ignored() {
    let text = r#"[{"event":"approved","by":"ann","at_desk":4}]"#;
    let events = format::decode::<Vec<Event>>(text).unwrap();
    assert_eq!(events, [Event::Approved { by: "ann".to_owned(), groups: Vec::new() }]);
}

/// One step, as this build writes it but for `extra`, a field that this build does not know, and `outputs`, which it has a default for.
fn stored(extra: &str, outputs: &str) -> String {
    format!(
        r#"{{"name":"case","description":"","timeout_seconds":60,"triggers":[],"actions":[{{"name":"one",{extra}"type":"act","needs":[],"retry":{{"max_attempts":1,"backoff_seconds":2,"max_backoff_seconds":60}},"timeout_seconds":60,"on_failure":"stop","on_unavailable":"skip","parameters":{{}},"safety":"idempotent"{outputs}}}],"verify":[]}}"#
    )
}

#[test]
fn a_plan_of_a_model_with_other_fields_keeps_its_digest_and_its_run_goes_on() {
    let own = stored("", r#","outputs":["status"]"#);
    let playbook = serde_json::from_str(&own).unwrap();
    let compiled = Plan::compile(playbook).unwrap();
    assert_eq!((compiled.to_json(), &compiled.digest), (&*own, &Digest::of(own.as_bytes())));

    for text in [stored(r#""urgency":"high","#, r#","outputs":["status"]"#), stored("", "")] {
        let digest = Digest::of(text.as_bytes());
        let plan = Plan::parse(&digest, &text).unwrap();
        assert_eq!((plan.to_json(), &plan.digest), (&*text, &digest));
        assert_ne!(plan.digest, compiled.digest);

        let now = Timestamp(1_000);
        let mut run = Run::start(plan, Map::new(), false, now, 1);
        assert_eq!(run.state.plan_digest, digest);
        let owed = run.owed(now);
        let [Command::Perform { step, command, .. }] = &owed[..] else { panic!("{owed:?}") };
        run.take(run.result(*step, command.attempt, AttemptResult::succeeded(Map::new())), now).unwrap();
        assert_eq!(run.state.outcome(), Some(RunOutcome::Completed));
    }
}

#[test]
fn a_stored_plan_with_one_character_changed_is_refused() {
    let text = stored("", "");
    let pinned = Digest::of(text.as_bytes());
    let error = Plan::parse(&pinned, &text.replace(r#""timeout_seconds":60"#, r#""timeout_seconds":61"#)).unwrap_err();
    assert!(matches!(&error, PlanError::Tampered { pinned: of, observed } if *of == pinned && *observed != pinned));
}
