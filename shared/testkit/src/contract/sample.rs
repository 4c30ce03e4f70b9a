//! Sample runs, claims and messages.

use heal_engine::event::RunStarted;
use heal_engine::{Event, Map};
use heal_runtime::port::{
    ClaimKey, ClaimRequest, CooldownKey, CooldownRequest, LeaseOwner, Message, NewRun, QueueName, RunHead, Subject,
};
use heal_runtime::{AttemptResult, Commit, Digest, RunId, RunStatus, Seq, Timestamp};
use serde_json::json;

use crate::memory::ManualClock;

/// The time of every sample.
pub(crate) const T0: Timestamp = ManualClock::START;

pub(crate) fn joined(incident_id: &str) -> Event {
    Event::IncidentJoined { incident_id: incident_id.to_owned() }
}

/// A commit of `count` events.
pub(crate) fn commit(run_id: &str, first_seq: Seq, cause_id: &str, count: usize) -> Commit {
    let events = (0..count).map(|index| joined(&format!("incident-{first_seq}-{index}"))).collect();
    let (run_id, cause_id, at) = (RunId::new(run_id), cause_id.to_owned(), T0.plus_ms(first_seq));
    Commit { run_id, first_seq, cause_id, at, events, chain: None }
}

/// The head of a running run after `commit`.
pub(crate) fn head(commit: &Commit) -> RunHead {
    RunHead {
        run_id: commit.run_id.clone(),
        incident_id: "INC-1".to_owned(),
        playbook: Some("ticket_timeout_recovery".to_owned()),
        status: RunStatus::Running,
        outcome: None,
        started_at: T0,
        updated_at: commit.at,
        wake_at: Some(T0.plus_ms(60_000)),
        last_seq: commit.last_seq(),
        reason: None,
        subject: Subject::default(),
        open_follow_ups: 0,
        held_by: None,
    }
}

/// A run of one `RunStarted` event, alone in its dedupe key, without a concurrency key.
pub(crate) fn new_run(run_id: &str) -> NewRun {
    let variables: Map = [
        ("ticket_id".to_owned(), json!("T-1 \"quoted\" \u{202e} \u{1f600} \0")),
        ("nested".to_owned(), json!({"numbers": [0, -1, u64::MAX, 0.1, 1e300], "none": null, "yes": true})),
    ]
    .into_iter()
    .collect();
    let started = RunStarted {
        incident_id: "INC-1".to_owned(),
        incident_type: Some("TICKET_TIMEOUT".to_owned()),
        playbook: "ticket_timeout_recovery".to_owned(),
        plan_digest: Digest::of(b"plan"),
        variables,
        approval: false,
        named: false,
        gate: None,
        mode: heal_engine::autonomy::RunMode::Live,
        autonomy: None,
        requested_by: None,
        concurrency_key: None,
        traceparent: None,
    };
    let commit = Commit {
        run_id: RunId::new(run_id),
        first_seq: 1,
        cause_id: format!("incident:{run_id}"),
        at: T0,
        events: vec![Event::RunStarted(Box::new(started))],
        chain: None,
    };
    let head = head(&commit);
    NewRun {
        commit,
        head,
        dedupe_key: format!("dedupe:{run_id}"),
        dedupe_until: T0.plus_ms(86_400_000),
        concurrency_key: None,
        repeat: None,
        room: None,
    }
}

pub(crate) fn claim_key(attempt: &str) -> ClaimKey {
    ClaimKey { action: "reallocate_ticket".to_owned(), attempt: attempt.to_owned() }
}

pub(crate) fn target(name: &str) -> CooldownKey {
    CooldownKey { action: "reallocate_ticket".to_owned(), target: name.to_owned() }
}

pub(crate) fn holder(name: &str) -> LeaseOwner {
    LeaseOwner(name.to_owned())
}

/// How far ahead a clock is that somebody set to the wrong year.
pub(crate) const YEAR_MS: u64 = 365 * 86_400_000;
/// How long a sample's lease runs.
pub(crate) const LEASE_MS: u64 = 30_000;
/// How long a sample's targets cool down.
pub(crate) const COOLDOWN_MS: u64 = 300_000;

/// A request by `by` for the claim of `attempt` at `now`, with `targets`.
pub(crate) fn request(attempt: &str, by: &str, now: Timestamp, targets: &[&str]) -> ClaimRequest {
    let cooldown = |name: &&str| CooldownRequest { key: target(name), cooldown_ms: COOLDOWN_MS };
    let claim = ClaimRequest::new(claim_key(attempt), holder(by), now, now.plus_ms(LEASE_MS));
    ClaimRequest { cooldowns: targets.iter().map(cooldown).collect(), ..claim }
}

/// A result with an output, a warning and characters that need escaping.
pub(crate) fn result(ticket_id: &str) -> AttemptResult {
    let output: Map =
        [("ticket_id".to_owned(), json!(ticket_id)), ("share".to_owned(), json!(0.25))].into_iter().collect();
    AttemptResult::succeeded(output).warn("checked by hand \"twice\"")
}

pub(crate) fn message(queue: &QueueName, body: &str) -> Message {
    Message { queue: queue.clone(), body: body.to_owned(), delay_ms: 0, traceparent: None }
}
