use std::collections::HashMap;

use heal_engine::Event;
use heal_runtime::port::{Created, NewRun, Page, Repeat, RunFilter, RunHead, Subject};
use heal_runtime::{Commit, Digest, RunId, RunOutcome, RunStatus, Timestamp};

use super::Dice;
use crate::contract::runs::Runs;
use crate::contract::sample::{T0, joined};

const RUNS: u64 = 12;

/// Makes `calls` random calls to both stores.
///
/// # Panics
/// If an answer differs.
pub async fn runs_agree(left: &Runs, right: &Runs, seed: u64, calls: usize) {
    let mut dice = Dice::new(seed);
    let mut now = T0;
    // The concurrency key of each run, which an append has to name.
    let mut keys: HashMap<RunId, Option<String>> = HashMap::new();
    for call in 0..calls {
        let place = format!("seed {seed}, call {call}");
        match dice.roll(8) {
            0 => {
                let run = random_run(&mut dice, now);
                let answers = (left.create(&run).await.unwrap(), right.create(&run).await.unwrap());
                assert_eq!(answers.0, answers.1, "{place}: {run:?}");
                if answers.0 == Created::Created {
                    keys.insert(run.commit.run_id, run.concurrency_key);
                }
            }
            1..=3 => append(&mut dice, (left, right), &keys, now, &place).await,
            4 => read(&mut dice, left, right, &place).await,
            5 => list(&mut dice, left, right, &place).await,
            6 => {
                let limit = usize::try_from(dice.roll(6)).unwrap();
                assert_eq!(left.due(now, limit).await.unwrap(), right.due(now, limit).await.unwrap(), "{place}");
                assert_eq!(left.next_due().await.unwrap(), right.next_due().await.unwrap(), "{place}");
                held(left, right, &place).await;
            }
            _ => now = dice.after(now, 3_000),
        }
    }
}

/// Not their number: the index has a row for moments that a refused create left behind.
async fn held(left: &Runs, right: &Runs, place: &str) {
    for halts in [vec![], vec!["halt-1".to_owned()], vec!["halt-1".to_owned(), "halt-2".to_owned()]] {
        let mut found = left.held_by_others(&halts, 100).await.unwrap();
        let mut other = right.held_by_others(&halts, 100).await.unwrap();
        found.sort();
        other.sort();
        assert_eq!(found, other, "{place}: {halts:?}");
    }
}

fn run_id(dice: &mut Dice) -> RunId {
    RunId::new(dice.name("run", RUNS))
}

fn status(dice: &mut Dice) -> RunStatus {
    let index = usize::try_from(dice.roll(14)).unwrap();
    RunStatus::ALL.get(index).copied().unwrap_or(RunStatus::Running)
}

/// An outcome that has this status.
fn outcome(dice: &mut Dice, status: RunStatus) -> RunOutcome {
    let completed = if dice.once_in(2) { RunOutcome::Healed } else { RunOutcome::Degraded };
    let failed = if dice.once_in(2) { RunOutcome::NotHealed } else { RunOutcome::Denied };
    match status {
        RunStatus::Completed => completed,
        RunStatus::Cancelled => RunOutcome::Cancelled,
        RunStatus::Timeout => RunOutcome::Timeout,
        RunStatus::Failed | RunStatus::Pending | RunStatus::AwaitingApproval | RunStatus::Running => failed,
    }
}

fn random_commit(dice: &mut Dice, run_id: RunId, first_seq: u64, at: Timestamp) -> Commit {
    let events: Vec<Event> = (0..=dice.roll(3)).map(|_| joined(&dice.name("incident", 1_000))).collect();
    Commit { run_id, first_seq, cause_id: dice.name("cause", 3), at, events, chain: None }
}

fn random_head(dice: &mut Dice, commit: &Commit) -> RunHead {
    let status = status(dice);
    let outcome = status.is_terminal().then(|| outcome(dice, status));
    // A run with follow-ups is at best degraded.
    let may_leave_something = outcome != Some(RunOutcome::Healed) && dice.once_in(4);
    let held_by = random_holder(dice, status);
    let wake_at = (!dice.once_in(4)).then(|| dice.after(commit.at, 5_000)).filter(|_| held_by.is_none());
    RunHead {
        run_id: commit.run_id.clone(),
        incident_id: dice.name("INC", 5),
        playbook: (!dice.once_in(4)).then(|| dice.name("playbook", 3)),
        status,
        outcome,
        started_at: dice.after(T0, 10),
        updated_at: commit.at,
        wake_at,
        last_seq: commit.last_seq(),
        reason: dice.once_in(2).then(|| dice.name("reason", 100)),
        subject: random_subject(dice),
        open_follow_ups: if may_leave_something { 2 } else { 0 },
        held_by,
    }
}

/// An ended run is not held.
fn random_holder(dice: &mut Dice, status: RunStatus) -> Option<String> {
    let holder = ["halt-1", "halt-2", "local:anna"].get(usize::try_from(dice.roll(6)).unwrap());
    holder.filter(|_| !status.is_terminal()).map(|holder| (*holder).to_owned())
}

fn random_subject(dice: &mut Dice) -> Subject {
    let severities = ["LOW", "CRITICAL", "SEV-1"];
    let severity = usize::try_from(dice.roll(5)).unwrap();
    Subject {
        ticket_id: dice.once_in(2).then(|| dice.name("ticket", 3)),
        workflow_id: dice.once_in(2).then(|| dice.name("workflow", 3)),
        worker_id: dice.once_in(2).then(|| dice.name("worker", 3)),
        severity: severities.get(severity).map(|word| (*word).to_owned()),
        escalation_required: dice.once_in(2),
    }
}

fn random_run(dice: &mut Dice, now: Timestamp) -> NewRun {
    let run_id = run_id(dice);
    let commit = random_commit(dice, run_id, 1, now);
    let head = random_head(dice, &commit);
    NewRun {
        commit,
        head,
        dedupe_key: dice.name("input", RUNS),
        dedupe_until: dice.after(now, 10_000),
        concurrency_key: (!dice.once_in(3)).then(|| dice.name("ticket", 4)),
        repeat: (!dice.once_in(3)).then(|| random_repeat(dice)),
        room: None,
    }
}

/// Sometimes an escalation, and sometimes after one that may have been.
fn random_repeat(dice: &mut Dice) -> Repeat {
    Repeat {
        key: dice.name("target", 3),
        max: 2,
        window_ms: 5_000,
        escalates: dice.once_in(4),
        acknowledged: dice.once_in(2).then(|| run_id(dice)),
    }
}

/// Mostly the next commit, sometimes an existing one, or one behind a gap. An ended run has no further commits.
async fn append(
    dice: &mut Dice,
    (left, right): (&Runs, &Runs),
    keys: &HashMap<RunId, Option<String>>,
    now: Timestamp,
    place: &str,
) {
    let run_id = run_id(dice);
    let head = left.head(&run_id).await.unwrap();
    if head.as_ref().is_some_and(|head| head.status.is_terminal()) {
        return;
    }
    let last = head.map_or(0, |head| head.last_seq);
    let first_seq = if dice.once_in(4) { dice.roll(last + 3) } else { last + 1 };
    let commit = random_commit(dice, run_id, first_seq, now);
    let head = random_head(dice, &commit);
    let key = keys.get(&commit.run_id).cloned().flatten();
    let answers =
        (left.append(&commit, &head, key.as_deref()).await, right.append(&commit, &head, key.as_deref()).await);
    assert_eq!(answers.0.unwrap(), answers.1.unwrap(), "{place}: {commit:?}");
}

async fn read(dice: &mut Dice, left: &Runs, right: &Runs, place: &str) {
    let run_id = run_id(dice);
    let after = dice.roll(6);
    assert_eq!(left.head(&run_id).await.unwrap(), right.head(&run_id).await.unwrap(), "{place}: {run_id}");
    let logs = (left.load(&run_id, after).await.unwrap(), right.load(&run_id, after).await.unwrap());
    assert_eq!(logs.0, logs.1, "{place}: {run_id} after {after}");
    let digest = Digest::of(&dice.roll(3).to_be_bytes());
    assert_eq!(left.plan(&digest).await.unwrap(), right.plan(&digest).await.unwrap(), "{place}");
    if dice.once_in(10) {
        left.put_plan(&digest, "a plan", T0).await.unwrap();
        right.put_plan(&digest, "a plan", T0).await.unwrap();
    }
}

/// Reads all pages of both; each store has its own cursors.
async fn list(dice: &mut Dice, left: &Runs, right: &Runs, place: &str) {
    let filter = RunFilter {
        status: dice.once_in(2).then(|| status(dice)),
        playbook: dice.once_in(2).then(|| dice.name("playbook", 3)),
        since: dice.once_in(2).then(|| dice.after(T0, 10)),
        incident_id: dice.once_in(4).then(|| dice.name("INC", 5)),
        ticket_id: dice.once_in(4).then(|| dice.name("ticket", 3)),
        workflow_id: dice.once_in(4).then(|| dice.name("workflow", 3)),
        worker_id: dice.once_in(4).then(|| dice.name("worker", 3)),
        severity: dice.once_in(4).then(|| "CRITICAL".to_owned()),
        outcome: dice.once_in(4).then_some(RunOutcome::Degraded),
        needs_attention: dice.once_in(3),
    };
    let limit = usize::try_from(1 + dice.roll(5)).unwrap();
    let (mut left_cursor, mut right_cursor): (Option<String>, Option<String>) = (None, None);
    loop {
        let Page { runs: left_runs, next: left_next, .. } =
            left.list(&filter, limit, left_cursor.as_deref()).await.unwrap();
        let Page { runs: right_runs, next: right_next, .. } =
            right.list(&filter, limit, right_cursor.as_deref()).await.unwrap();
        assert_eq!(left_runs, right_runs, "{place}: {filter:?}");
        assert_eq!(left_next.is_some(), right_next.is_some(), "{place}: {filter:?}");
        if left_next.is_none() {
            return;
        }
        (left_cursor, right_cursor) = (left_next, right_next);
    }
}
