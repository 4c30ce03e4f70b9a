//! A commit as a row: its events, and the head of the run after it.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::port::{Result, RunHead, Subject};
use heal_runtime::{Commit, Digest, RunId, RunOutcome, RunStatus, Seq, StoredCommit, Timestamp, format};
use serde::de::DeserializeOwned;

use crate::limit::WRITE_UNIT_BYTES;
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{key, pack};
use crate::text::chain as causes;

/// A run as its newest commit describes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Newest {
    pub head: RunHead,
    pub live: Live,
}

/// A run's live row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    /// Its sort key, which determines its partition.
    pub sk: String,
    /// The time from which the sweep reads the run. It only ever becomes earlier.
    pub look_at: Timestamp,
}

/// The commit as a row.
///
/// The commit that ends its run has the keys of the index of ended runs. A later one (`before` has ended) has none, so that the index has
/// the run once. `before` is the head before this commit.
pub(super) fn commit(commit: &Commit, before: Option<&RunHead>, head: &RunHead, live: &Live) -> Item {
    let subject = &head.subject;
    let events = format::encode(&commit.events);
    let mut item = Item::at(&key::commit(&commit.run_id, commit.first_seq))
        .text("cause_id", &commit.cause_id)
        .moment("at", commit.at)
        .text("live_sk", &live.sk)
        .moment("look_at", live.look_at)
        .text("run_id", commit.run_id.as_str())
        .text("incident_id", &head.incident_id)
        .maybe_text("playbook", head.playbook.as_ref())
        .text("status", head.status.as_str())
        .maybe_text("outcome", head.outcome.map(RunOutcome::as_str))
        .moment("started_at", head.started_at)
        .moment("updated_at", head.updated_at)
        .maybe_moment("wake_at", head.wake_at)
        .number("last_seq", commit.last_seq())
        .maybe_text("reason", head.reason.as_ref())
        .maybe_text("ticket_id", subject.ticket_id.as_ref())
        .maybe_text("workflow_id", subject.workflow_id.as_ref())
        .maybe_text("worker_id", subject.worker_id.as_ref())
        .maybe_text("severity", subject.severity.as_ref());
    if subject.escalation_required {
        item = item.flag("escalation_required", true);
    }
    if head.open_follow_ups > 0 {
        item = item.number("open_follow_ups", u64::from(head.open_follow_ups));
    }
    item = item.maybe_text("held_by", head.held_by.as_ref());
    let partition = key::ended_partition(head.status, head.outcome);
    if let Some(partition) = partition.filter(|_| before.is_none_or(|before| !before.status.is_terminal())) {
        item = item.text("gsi_pk", partition).text("gsi_sk", key::ended(head.started_at, commit.run_id.as_str()));
    }
    // 32 bytes instead of 64 digits: most commits are one write unit, and are to stay so.
    if let Some(bytes) = commit.chain.as_ref().and_then(Digest::to_bytes) {
        item = item.value("chain", AttributeValue::B(Blob::new(bytes)));
    }
    let room = WRITE_UNIT_BYTES.saturating_sub(item.bytes() + "events".len());
    item.value("events", pack::pack(&events, room))
}

/// Reads a commit from its row.
pub(super) fn read_commit(operation: &'static str, row: &Attributes, run_id: &RunId) -> Result<Commit> {
    let fields = Fields::read(operation, row)?;
    let StoredCommit { run_id, first_seq, cause_id, at, events, chain } = read_stored(operation, row, run_id)?;
    let events = format::decode(&events).map_err(|error| fields.corrupt("events", causes(&error)))?;
    Ok(Commit { run_id, first_seq, cause_id, at, events, chain })
}

/// Reads a commit from its row, and leaves its events unread.
pub(super) fn read_stored(operation: &'static str, row: &Attributes, run_id: &RunId) -> Result<StoredCommit> {
    let fields = Fields::read(operation, row)?;
    Ok(StoredCommit {
        run_id: run_id.clone(),
        first_seq: first_seq(&fields)?,
        cause_id: fields.text("cause_id")?.to_owned(),
        at: fields.moment("at")?,
        events: fields.packed("events")?,
        chain: fields.maybe_bytes("chain")?.map(Digest::from_bytes),
    })
}

pub(super) fn read_newest(operation: &'static str, row: &Attributes) -> Result<Newest> {
    let fields = Fields::read(operation, row)?;
    let live = Live { sk: fields.text("live_sk")?.to_owned(), look_at: fields.moment("look_at")? };
    Ok(Newest { head: read_head(operation, row)?, live })
}

/// Reads the head from a commit's row, or from a row of the index of ended runs. The index has neither the subject nor the follow-ups: its
/// attributes are fixed at the table's creation. Rows of earlier builds have neither too.
pub(super) fn read_head(operation: &'static str, row: &Attributes) -> Result<RunHead> {
    let fields = Fields::read(operation, row)?;
    Ok(RunHead {
        run_id: RunId::new(fields.text("run_id")?),
        incident_id: fields.text("incident_id")?.to_owned(),
        playbook: fields.maybe_text("playbook")?.map(ToOwned::to_owned),
        status: word::<RunStatus>(&fields, "status")?,
        outcome: fields.maybe_text("outcome")?.map(|_| word::<RunOutcome>(&fields, "outcome")).transpose()?,
        started_at: fields.moment("started_at")?,
        updated_at: fields.moment("updated_at")?,
        wake_at: fields.maybe_moment("wake_at")?,
        last_seq: fields.number("last_seq")?,
        reason: fields.maybe_text("reason")?.map(ToOwned::to_owned),
        subject: Subject {
            ticket_id: fields.maybe_text("ticket_id")?.map(ToOwned::to_owned),
            workflow_id: fields.maybe_text("workflow_id")?.map(ToOwned::to_owned),
            worker_id: fields.maybe_text("worker_id")?.map(ToOwned::to_owned),
            severity: fields.maybe_text("severity")?.map(ToOwned::to_owned),
            escalation_required: fields.flag("escalation_required"),
        },
        open_follow_ups: follow_ups(&fields)?,
        held_by: fields.maybe_text("held_by")?.map(ToOwned::to_owned),
    })
}

fn follow_ups(fields: &Fields<'_>) -> Result<u32> {
    let number = fields.maybe_number("open_follow_ups")?.unwrap_or(0);
    u32::try_from(number).map_err(|_| fields.corrupt("open_follow_ups", format!("{number} is more than {}", u32::MAX)))
}

fn first_seq(fields: &Fields<'_>) -> Result<Seq> {
    let sk = fields.text("sk")?;
    sk.parse().map_err(|_| fields.corrupt("sk", "is not a sequence number"))
}

/// Parses an enum from its serialised word.
fn word<T: DeserializeOwned>(fields: &Fields<'_>, name: &str) -> Result<T> {
    let word = fields.text(name)?;
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| fields.corrupt(name, error))
}

/// Whether the stored commit comes from the same input.
pub(super) fn is_of(row: &Attributes, cause_id: &str) -> bool {
    matches!(row.get("cause_id"), Some(AttributeValue::S(stored)) if stored == cause_id)
}

#[cfg(test)]
mod tests {
    use heal_engine::Event;
    use heal_engine::id::{StepIndex, StepRef};
    use heal_engine::message::Recorded;
    use heal_guard::{Counter, DecisionRecord, Effect, PolicyAnswer, PolicyFacts, Question, decide};
    use heal_runtime::{AttemptResult, Map, Token};
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_465_260_123);

    /// A change that was let pass, with everything that a home with guardrails records.
    fn record() -> DecisionRecord {
        let effect = Effect {
            service: "kubernetes".to_owned(),
            workflow_id: "wf-8b1f9c52-5a7d-4d7e-9a43".to_owned(),
            ..Effect::new("restart_pod", "worker_failure_recovery", "worker-deployment-7c9f6d5b8-x2x4q")
        };
        let counter = |name: &str, used, limit| Counter {
            name: name.to_owned(),
            key: effect.target.clone(),
            used,
            limit,
            population: None,
            full_until: None,
        };
        let question = Question {
            guardrails: Some(Digest::of(b"guardrails")),
            policy: PolicyAnswer::Allow { source: "bundled".to_owned() },
            counters: vec![counter("cooldown of restart_pod", 0, 1), counter("restarts_per_hour", 3, 10)],
            ..Question::new(effect.clone(), NOW)
        };
        let decision = decide(&question);
        let policy_facts = PolicyFacts { workflow_state: "RUNNING".to_owned(), ..PolicyFacts::default() };
        DecisionRecord { policy_facts, policy_took_ms: Some(4), ..DecisionRecord::new(question, decision) }
    }

    /// The commit of a turn that takes a result, ends the step and starts the next one.
    fn turn(step: StepIndex, decisions: Vec<Recorded>) -> Commit {
        let output: Map =
            serde_json::from_value(json!({"restarted": true, "pod_name": "worker-deployment-7c9f6d5b8-x2x4q",
            "replacement": "worker-deployment-7c9f6d5b8-k8r2m", "ready_after_ms": 8_412}))
            .unwrap();
        let parameters = json!({"ticket_id": "ticket-5f0c1a3e-77d0-4a62", "reason": "worker_failure"});
        let events = vec![
            Event::AttemptEnded {
                step: StepRef::whole(step),
                attempt: 1,
                result: AttemptResult { decisions, ..AttemptResult::succeeded(output) },
                started_at: Some(NOW),
                finished_at: Some(NOW.plus_ms(9_000)),
            },
            Event::StepEnded {
                step: StepRef::whole(step),
                outcome: heal_engine::event::StepOutcome::Succeeded,
                reason: None,
            },
            Event::AttemptStarted {
                step: StepRef::whole(step + 1),
                attempt: 1,
                token: Token::new("8c1d7be0a54f36921b7e02cd"),
                parameters: serde_json::from_value(parameters).unwrap(),
                parameters_digest: Digest::of(b"parameters"),
                deadline: NOW.plus_ms(300_000),
                timeout_ms: Some(60_000),
            },
        ];
        let run_id = RunId::new("run-15554c2c77a6b5a1d1d583e0");
        let cause_id = "result:run-15554c2c77a6b5a1d1d583e0/restart_pod/1".to_owned();
        Commit { run_id, first_seq: 5, cause_id, at: NOW, events, chain: None }
    }

    fn bytes(row: &Commit) -> usize {
        let head = RunHead {
            run_id: row.run_id.clone(),
            incident_id: "inc-0d5b7a64-93c5-4d5f-8a66".to_owned(),
            playbook: Some("worker_failure_recovery".to_owned()),
            status: RunStatus::Running,
            outcome: None,
            started_at: NOW,
            updated_at: NOW,
            wake_at: Some(NOW),
            last_seq: row.last_seq(),
            reason: None,
            subject: Subject {
                ticket_id: Some("ticket-5f0c1a3e-77d0-4a62".to_owned()),
                workflow_id: Some("wf-8b1f9c52-5a7d-4d7e-9a43".to_owned()),
                worker_id: Some("worker-deployment-7c9f6d5b8-x2x4q".to_owned()),
                severity: Some("HIGH".to_owned()),
                escalation_required: false,
            },
            open_follow_ups: 0,
            held_by: None,
        };
        commit(row, None, &head, &Live { sk: "key:ticket:5f0c1a3e-77d0-4a62".to_owned(), look_at: NOW }).bytes()
    }

    /// A commit is one write unit, also with its chain and the record of a decision: the dictionary makes room for them.
    #[test]
    fn a_commit_with_chain_and_decision_takes_one_write_unit() {
        let before = bytes(&turn(2, Vec::new()));
        let chained = bytes(&turn(2, Vec::new()).chained(None));
        let full = bytes(&turn(2, vec![serde_json::to_value(record()).unwrap().into()]).chained(None));
        assert!(
            before <= chained && chained <= full,
            "{before} bytes before, {chained} chained, {full} with a decision"
        );
        assert!(full <= WRITE_UNIT_BYTES, "{before} bytes before, {chained} chained, {full} with a decision");
    }
}
