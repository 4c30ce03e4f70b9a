//! Today's text of every format, with every field set and with every optional field left out.

use heal_engine::autonomy::{Autonomy, AutonomyLevel, RunMode};
use heal_engine::check;
use heal_engine::event::{Event, RunOutcome, RunStarted, StepOutcome, StopCause};
use heal_engine::format::{self, Format};
use heal_engine::id::{Digest, RunId, StepRef, Token};
use heal_engine::message::{
    ActionCommand, ActionResult, AttemptOutcome, AttemptResult, Context, Violation, digest_shadowed,
};
use heal_engine::{Map, Timestamp};
use serde_json::json;

const AT: Timestamp = Timestamp(1_700_000_000_123);

/// Folder, name and text.
pub fn all() -> Vec<(&'static str, String, String)> {
    fn text<T: Format>(kind: &'static str) -> impl Fn((&str, T)) -> (&'static str, String, String) {
        move |(name, value)| (kind, name.to_owned(), format::encode(&value))
    }
    let events = events()
        .into_iter()
        .map(|(suffix, event)| ("events", format!("{}{suffix}", event.name()), format::encode(&vec![event])));
    let results = outcomes()
        .into_iter()
        .map(|result| ("results", result.outcome.as_str().to_owned(), format::encode(&action_result(result))));
    let not_applied = outcomes().into_iter().find(|result| matches!(result.outcome, AttemptOutcome::TimedOut { .. }));
    let not_applied = AttemptResult { not_applied: true, ..not_applied.unwrap() };
    let worked = ActionResult { started_at: Some(AT), ..action_result(not_applied.clone()) };
    let failed = outcomes().into_iter().find(|result| matches!(result.outcome, AttemptOutcome::Failed { .. }));
    let may_have_acted = AttemptResult { may_have_acted: true, ..failed.unwrap() };
    let new = [
        ("results", "worked".to_owned(), format::encode(&worked)),
        ("answers", "not_applied".to_owned(), format::encode(&not_applied)),
        ("answers", "may_have_acted".to_owned(), format::encode(&may_have_acted)),
        ("answers", "decided".to_owned(), format::encode(&decided())),
        ("results", "decided".to_owned(), format::encode(&action_result(decided()))),
    ];
    let answers =
        outcomes().into_iter().map(|result| ("answers", result.outcome.as_str().to_owned(), format::encode(&result)));
    let commands = commands().into_iter().map(text("commands"));
    let memories = memories().into_iter().map(text("check_memory"));
    events.chain(results).chain(answers).chain(new).chain(commands).chain(memories).collect()
}

fn object(value: serde_json::Value) -> Map {
    serde_json::from_value(value).unwrap()
}

/// Each event, with what follows its name in the file's.
fn events() -> Vec<(&'static str, Event)> {
    let (step, item) = (StepRef::whole(1), StepRef::item(1, 7));
    let started = RunStarted {
        incident_id: "incident-1".to_owned(),
        incident_type: Some("TICKET_TIMEOUT".to_owned()),
        playbook: "ticket_timeout_recovery".to_owned(),
        plan_digest: Digest::of(b"plan"),
        variables: object(
            json!({"ticket_id": "t-1", "created_at": 1, "ratio": 0.5, "none": null, "list": ["é", true]}),
        ),
        approval: true,
        named: false,
        gate: None,
        mode: RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: Some("ticket:t-1".to_owned()),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
    };
    let bare = RunStarted {
        incident_type: None,
        approval: false,
        gate: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
        ..started.clone()
    };
    let shadow = RunStarted {
        mode: RunMode::Shadow,
        autonomy: Some(Autonomy {
            level: AutonomyLevel::Shadow,
            by: "local:ann".to_owned(),
            reason: "we watch it first".to_owned(),
        }),
        ..bare.clone()
    };
    let started_within = |step, timeout_ms| Event::AttemptStarted {
        step,
        attempt: 2,
        token: Token::new("secret"),
        parameters: object(json!({"ticket_id": "t-1"})),
        parameters_digest: Digest::of(b"parameters"),
        deadline: AT,
        timeout_ms,
    };
    let attempt = |step| started_within(step, None);
    let issued = started_within(step, Some(60_000));
    let ended = |step, attempt, result, worked: Option<(Timestamp, Timestamp)>| {
        let (started_at, finished_at) = worked.unzip();
        Event::AttemptEnded { step, attempt, result, started_at, finished_at }
    };
    let reason = || Some("it broke".to_owned());
    let done = |note: Option<&str>| Event::FollowUpDone {
        id: "0a1b2c3d".to_owned(),
        by: "ann".to_owned(),
        note: note.map(ToOwned::to_owned),
    };
    vec![
        ("_named", Event::RunStarted(Box::new(RunStarted { named: true, ..started.clone() }))),
        ("", Event::RunStarted(Box::new(started))),
        ("_bare", Event::RunStarted(Box::new(bare))),
        ("_shadow", Event::RunStarted(Box::new(shadow))),
        (
            "",
            Event::IncidentRejected {
                incident_id: "incident-1".to_owned(),
                reason: "incident_type is missing".to_owned(),
                message: "{}".to_owned(),
            },
        ),
        ("", Event::IncidentJoined { incident_id: "incident-2".to_owned() }),
        ("", Event::ApprovalExpiring { step: None, percent: 50, until: AT }),
        ("_step", Event::ApprovalExpiring { step: Some(item), percent: 50, until: AT }),
        ("", Event::Approved { by: "ann".to_owned(), groups: Vec::new() }),
        ("_groups", Event::Approved { by: "local:ann".to_owned(), groups: vec!["oncall".to_owned()] }),
        ("", Event::Rejected { by: "local:ann".to_owned(), reason: "not now".to_owned() }),
        (
            "",
            Event::ApprovalRequested {
                step: item,
                digest: Digest::of(b"parameters"),
                parameters: object(json!({"pod_name": "worker-1"})),
                approvers: vec!["oncall".to_owned(), "local:ann".to_owned()],
                min: 2,
                until: AT,
                why: "step restart asks for an approval".to_owned(),
                reminder: true,
            },
        ),
        ("", Event::StepApproved { step, digest: Digest::of(b"x"), by: "local:ann".to_owned(), groups: Vec::new() }),
        (
            "_groups",
            Event::StepApproved {
                step: item,
                digest: Digest::of(b"x"),
                by: "local:ann".to_owned(),
                groups: vec!["oncall".to_owned()],
            },
        ),
        (
            "",
            Event::StepRejected { step, digest: Digest::of(b"x"), by: "local:ann".to_owned(), reason: "no".to_owned() },
        ),
        ("", Event::RunWithdrawn { reason: "the alarm \"cpu\" went to OK".to_owned() }),
        (
            "",
            Event::RunHeld {
                by: "local:ann".to_owned(),
                reason: "a deployment".to_owned(),
                halt: Some("halt-1".to_owned()),
                until: Some(AT),
            },
        ),
        (
            "_bare",
            Event::RunHeld { by: "local:ann".to_owned(), reason: "let me look".to_owned(), halt: None, until: None },
        ),
        ("", Event::RunReleased { by: "local:ann".to_owned(), reason: "halt-1 was resumed".to_owned() }),
        ("", Event::RunQueued),
        ("", Event::RunAdmitted),
        ("", Event::AttemptHeld { step: item, attempt: 2, reason: "a deployment".to_owned(), may_have_acted: true }),
        ("", done(Some("the pod is up again"))),
        ("_bare", done(None)),
        ("", Event::CancelRequested { by: "ann".to_owned() }),
        ("", Event::ConditionFalse { step }),
        ("_item", Event::ConditionFalse { step: item }),
        ("", Event::FannedOut { step: 1, items: vec![json!("a"), json!({"b": 2}), json!(null)] }),
        ("", attempt(step)),
        ("_item", attempt(item)),
        ("_window", issued),
        (
            "",
            Event::AttemptReissued {
                step: item,
                attempt: 2,
                token: Token::new("secret"),
                deadline: AT,
                reason: "no worker took it in time".to_owned(),
            },
        ),
        ("", Event::WaitStarted { step, until: AT }),
        ("", ended(step, 2, outcomes().remove(0), None)),
        ("_item", ended(item, 1, outcomes().remove(2), None)),
        ("_worked", ended(step, 1, outcomes().remove(1), Some((AT, AT.plus_ms(1_234))))),
        ("", Event::RetryScheduled { step, attempt: 3, due_at: AT, reason: "it broke".to_owned() }),
        ("", Event::StepEnded { step, outcome: StepOutcome::NoOp, reason: reason() }),
        ("_bare", Event::StepEnded { step: item, outcome: StepOutcome::Succeeded, reason: None }),
        ("", Event::VerifyStarted),
        ("", Event::Stopping { cause: StopCause::NotHealed, reason: "it broke".to_owned() }),
        ("", Event::RunEnded { outcome: RunOutcome::NotHealed, reason: reason() }),
        ("_bare", Event::RunEnded { outcome: RunOutcome::Healed, reason: None }),
        ("_escalated", Event::RunEnded { outcome: RunOutcome::Escalated, reason: reason() }),
        ("_shadowed", ended(step, 1, shadowed(), Some((AT, AT.plus_ms(5))))),
        ("_shadowed", Event::StepEnded { step, outcome: StepOutcome::Shadowed, reason: reason() }),
        ("_shadowed", Event::RunEnded { outcome: RunOutcome::Shadowed, reason: reason() }),
        ("_degraded", Event::RunEnded { outcome: RunOutcome::Degraded, reason: reason() }),
    ]
}

/// A result with each outcome; the first has all its other fields too.
fn outcomes() -> Vec<AttemptResult> {
    let message = || "it broke".to_owned();
    let violation = Violation {
        policy: "playbook_validation".to_owned(),
        rule: "reallocate_ticket_rate_limited".to_owned(),
        msg: "too soon".to_owned(),
        severity: "high".to_owned(),
    };
    let full = AttemptResult::succeeded(object(json!({"status": "PENDING", "count": 3})));
    let others = [
        AttemptOutcome::NoOp { reason: "nothing to do".to_owned() },
        AttemptOutcome::Denied { violations: vec![violation.clone()] },
        AttemptOutcome::NeedsApproval { violations: vec![violation], approvers: vec!["oncall".to_owned()] },
        AttemptOutcome::CoolingDown { target: "t-1".to_owned(), until: AT, rule: None },
        AttemptOutcome::Unavailable { service: "kubernetes".to_owned(), message: message(), retry_after_ms: Some(5) },
        AttemptOutcome::Failed { code: "http_500".to_owned(), message: message(), retryable: true },
        AttemptOutcome::TimedOut { message: message() },
        AttemptOutcome::Unknown { message: message() },
    ];
    let others = others.map(AttemptResult::new).into_iter().chain([shadowed()]);
    let first = full.warn("the ticket had no worker").follow_up("tell the owner");
    std::iter::once(first).chain(others).collect()
}

fn shadowed() -> AttemptResult {
    let would = "would delete pod \"p-1\" (uid 7)".to_owned();
    AttemptResult::new(AttemptOutcome::Shadowed { would, targets: vec!["p-1".to_owned()] })
}

/// A denial with what was decided, as the first of two targets.
fn decided() -> AttemptResult {
    let AttemptOutcome::Denied { violations } = outcomes().remove(2).outcome else { panic!("no denial") };
    let decision =
        json!({"question": {"effect": {"action": "reallocate_ticket"}, "now": AT}, "decision": {"reasons": []}});
    let denied = AttemptResult::new(AttemptOutcome::Denied { violations });
    AttemptResult { decisions: vec![decision.into()], decisions_cut: std::num::NonZeroU32::new(1), ..denied }
}

fn action_result(result: AttemptResult) -> ActionResult {
    let item = matches!(result.outcome, AttemptOutcome::NoOp { .. }).then_some(4);
    ActionResult {
        run_id: RunId::new("run-1"),
        step: "reallocate_ticket".to_owned(),
        item,
        attempt: 1,
        token: Token::new("secret"),
        finished_at: AT,
        started_at: None,
        result,
    }
}

fn commands() -> [(&'static str, ActionCommand); 5] {
    let full = ActionCommand {
        run_id: RunId::new("run-1"),
        step: "reallocate_ticket".to_owned(),
        item: Some(4),
        attempt: 2,
        token: Token::new("secret"),
        action: "reallocate_ticket".to_owned(),
        parameters: object(json!({"ticket_id": "t-1", "reason": "timeout_recovery"})),
        parameters_digest: Digest::of(b"parameters"),
        issued_at: AT,
        deadline: AT.plus_ms(60_000),
        timeout_ms: None,
        incarnation: None,
        effect_key: None,
        shadow: false,
        context: Context {
            incident_id: "incident-1".to_owned(),
            playbook: "ticket_timeout_recovery".to_owned(),
            workflow_id: Some("wf-1".to_owned()),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        },
        commands_sent: 9,
        approved: None,
    };
    let context = Context { workflow_id: None, traceparent: None, ..full.context.clone() };
    let bare = ActionCommand { item: None, context, ..full.clone() };
    let effect_key = Some("run-1/reallocate_ticket[4]#1".to_owned());
    let window = ActionCommand { timeout_ms: Some(60_000), effect_key, ..full.clone() };
    let parameters_digest = digest_shadowed(&full.parameters);
    let shadow = ActionCommand { shadow: true, parameters_digest, ..window.clone() };
    let named = ActionCommand { incarnation: Some(AT), ..window.clone() };
    [("full", full), ("bare", bare), ("window", window), ("shadow", shadow), ("named", named)]
}

fn memories() -> [(&'static str, check::State); 2] {
    let full = check::State::parse(
        r#"{"looked_at":5,"unknown":2,"problem":"no answer","targets":{"a":{"failures":3,"since":4},"b":{"failures":0,"since":4,"raised":{"at":4,"incident_id":"incident-1","is_sent":false}}}}"#,
    );
    [("full", full.unwrap()), ("empty", check::State::default())]
}
