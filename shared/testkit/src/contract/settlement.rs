//! The contract of [`Settlement`] and of [`AttemptSettlement`].

use std::sync::Arc;

use heal_runtime::port::{
    Admitted, Append, Appended, AttemptSettlement, ClaimEnd, ClaimStore, Created, Finish, QueueName, Reservation,
    RunStore, SettleOutcome, Settlement, Settles,
};
use heal_runtime::{RunId, Timestamp};

use super::sample::{LEASE_MS, T0, claim_key, commit, head, holder, message, new_run, request, result};
use super::{Fixture, Queues};

/// One store, behind each of its ports.
#[derive(Clone)]
#[allow(missing_debug_implementations)]
pub struct Parts {
    pub runs: Arc<dyn RunStore>,
    pub claims: Arc<dyn ClaimStore>,
    pub queues: Arc<dyn Queues>,
    pub settlement: Arc<dyn Settlement>,
    pub attempts: Arc<dyn AttemptSettlement>,
}

/// A home, fresh and empty.
pub type Home = Fixture<Parts>;

/// One test per case of [`settlement`](crate::contract::settlement); `$fixture` gives a [`Home`].
#[macro_export]
macro_rules! settlement_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, settlement, [
            a_run_starts_with_its_messages_and_its_delivery_is_handled,
            a_run_that_exists_settles_nothing,
            a_commit_is_settled_with_the_claim_whose_result_it_takes,
            a_refused_commit_settles_nothing,
            a_lost_claim_settles_nothing,
            an_end_without_a_commit_is_settled_as_one,
            an_old_receipt_is_settled_without_an_effect,
        ] }
    };
}

const ATTEMPT: &str = "run-1/step/1";

fn results() -> QueueName {
    QueueName::Results
}

/// A message in hand: its receipt.
async fn in_hand(home: &Home) -> String {
    home.queues.send(vec![message(&results(), "in hand")]).await.unwrap();
    home.queues.receive(&results(), 1, 60_000).await.unwrap().remove(0).receipt
}

fn with(receipt: &str) -> Settles {
    let messages = vec![message(&QueueName::Action("restart_pod".to_owned()), "follows")];
    Settles { messages, acknowledges: vec![receipt.to_owned()] }
}

/// Whether the messages that follow are sent, and whether what is in hand is handled.
async fn settled(home: &Home) -> (bool, bool) {
    let action = QueueName::Action("restart_pod".to_owned());
    let sent = home.queues.receive(&action, 10, 60_000).await.unwrap();
    home.clock.advance_ms(60_001);
    let back = home.queues.receive(&results(), 10, 60_000).await.unwrap();
    (sent.len() == 1, back.is_empty())
}

const ALL: (bool, bool) = (true, true);
const NOTHING: (bool, bool) = (false, false);

/// A claimed attempt, and its end.
async fn claimed(home: &Home) -> ClaimEnd {
    home.claims.reserve(&request(ATTEMPT, "worker", T0, &[])).await.unwrap();
    end_at(T0.plus_ms(1))
}

fn end_at(now: Timestamp) -> ClaimEnd {
    let (key, holder) = (claim_key(ATTEMPT), holder("worker"));
    ClaimEnd { key, holder, now, result: result("T-1"), proven_not_applied: Vec::new() }
}

/// Whether the claim has its result.
async fn is_finished(home: &Home) -> bool {
    let answer = home.claims.reserve(&request(ATTEMPT, "other", T0.plus_ms(2), &[])).await.unwrap();
    matches!(answer, Reservation::Finished(_))
}

async fn append(
    home: &Home,
    first_seq: u64,
    cause: &str,
    claim: Option<&ClaimEnd>,
    settles: Settles,
) -> Option<Admitted> {
    let commit = commit("run-1", first_seq, cause, 1);
    let head = head(&commit);
    let append = Append { commit: &commit, head: &head, concurrency_key: None, room: None };
    match home.attempts.append(append, claim, settles).await.unwrap() {
        SettleOutcome::Lost => None,
        SettleOutcome::Written(written) => {
            written.sent.unwrap();
            Some(written.outcome)
        }
    }
}

async fn last_seq(home: &Home) -> u64 {
    home.runs.head(&RunId::new("run-1")).await.unwrap().unwrap().last_seq
}

pub async fn a_run_starts_with_its_messages_and_its_delivery_is_handled(home: Home) {
    let receipt = in_hand(&home).await;
    let written = home.settlement.create(&new_run("run-1"), with(&receipt)).await.unwrap();
    assert_eq!((written.outcome, written.sent.is_ok()), (Created::Created, true));
    assert_eq!(last_seq(&home).await, 1);
    assert_eq!(settled(&home).await, ALL);
}

pub async fn a_run_that_exists_settles_nothing(home: Home) {
    home.runs.create(&new_run("run-1")).await.unwrap();
    let receipt = in_hand(&home).await;
    let written = home.settlement.create(&new_run("run-1"), with(&receipt)).await.unwrap();
    assert_eq!(written.outcome, Created::Duplicate { run_id: RunId::new("run-1") });
    assert_eq!(settled(&home).await, NOTHING);
}

pub async fn a_commit_is_settled_with_the_claim_whose_result_it_takes(home: Home) {
    home.runs.create(&new_run("run-1")).await.unwrap();
    let (receipt, end) = (in_hand(&home).await, claimed(&home).await);
    let appended = append(&home, 2, "result", Some(&end), with(&receipt)).await;
    assert_eq!(appended, Some(Admitted::Written(Appended::Appended)));
    assert_eq!(last_seq(&home).await, 2);
    assert!(is_finished(&home).await);
    assert_eq!(settled(&home).await, ALL);
}

pub async fn a_refused_commit_settles_nothing(home: Home) {
    home.runs.create(&new_run("run-1")).await.unwrap();
    let (receipt, end) = (in_hand(&home).await, claimed(&home).await);
    for (first_seq, cause, refusal) in [
        (1, "another", Appended::Conflict),
        (9, "ahead", Appended::Conflict),
        (1, "incident:run-1", Appended::AlreadyThere),
    ] {
        let appended = append(&home, first_seq, cause, Some(&end), with(&receipt)).await;
        assert_eq!(appended, Some(Admitted::Written(refusal)), "{cause}");
    }
    assert!(!is_finished(&home).await);
    assert_eq!(settled(&home).await, NOTHING);
}

pub async fn a_lost_claim_settles_nothing(home: Home) {
    home.runs.create(&new_run("run-1")).await.unwrap();
    let receipt = in_hand(&home).await;
    claimed(&home).await;
    let late = end_at(T0.plus_ms(LEASE_MS));
    assert_eq!(append(&home, 2, "result", Some(&late), with(&receipt)).await, None);
    assert_eq!(home.attempts.settle(Some(&late), with(&receipt)).await.unwrap(), Finish::Lost);
    assert_eq!(last_seq(&home).await, 1);
    assert_eq!(settled(&home).await, NOTHING);
}

pub async fn an_end_without_a_commit_is_settled_as_one(home: Home) {
    let (receipt, end) = (in_hand(&home).await, claimed(&home).await);
    assert_eq!(home.attempts.settle(Some(&end), with(&receipt)).await.unwrap(), Finish::Stored);
    assert!(is_finished(&home).await);
    assert_eq!(settled(&home).await, ALL);
    // The same again, after its answer was lost.
    assert_eq!(home.attempts.settle(Some(&end), Settles::default()).await.unwrap(), Finish::Stored);
}

pub async fn an_old_receipt_is_settled_without_an_effect(home: Home) {
    let old = in_hand(&home).await;
    home.queues.nack(&old, 0).await.unwrap();
    assert_eq!(home.attempts.settle(None, with(&old)).await.unwrap(), Finish::Stored);
    assert_eq!(settled(&home).await, (true, false));
}
