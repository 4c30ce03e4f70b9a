//! The keys of rows. IAM policies match the prefixes of partition keys (`dynamodb:LeadingKeys`), so the template depends on them.
//!
//! | row | `pk` | `sk` |
//! |---|---|---|
//! | one commit of a run | `RUN#<run>` | its first sequence number, ten digits |
//! | an input that starts no second run | `DEDUPE#<key>` | `DEDUPE` |
//! | a live run, under its concurrency key if it has one | `LIVE#<shard>` | `key:<concurrency key>` or `run:<run>` |
//! | a compiled playbook | `PLAN#<digest>` | `PLAN` |
//! | the right to perform an attempt | `CLAIM#<action>#<attempt>` | `CLAIM` |
//! | a target's cooldown | `COOLDOWN#<action>#<target>` | `COOLDOWN` |
//! | a counter of a budget | `BUDGET#<budget>#<key>` | `BUDGET` |
//! | an open circuit breaker | `BREAKER#<service>` | `BREAKER` |
//! | the count of runs for one target of a playbook | `REPEAT#<playbook and target>` | `REPEAT` |
//! | a scheduled check's memory | `CHECK#<check>` | `CHECK` |
//! | a halt | `HALT` | its id |
//! | a playbook's level of autonomy | `AUTONOMY` | the playbook's name |

use heal_runtime::port::{BudgetKey, ClaimKey, CooldownKey};
use heal_runtime::{Digest, RunId, RunOutcome, RunStatus, Seq, Timestamp};

use super::item::Key;
use crate::limit::{KEY_BYTES, LIVE_SHARDS};

fn key(pk: String, sk: impl Into<String>) -> Key {
    Key { pk, sk: sk.into() }
}

/// `text` if it is short enough for a key, otherwise its digest.
fn bounded(text: &str) -> String {
    if text.len() <= KEY_BYTES { text.to_owned() } else { format!("sha256:{}", Digest::of(text.as_bytes())) }
}

pub(super) fn run(run_id: &RunId) -> String {
    format!("RUN#{run_id}")
}

pub(super) fn seq(seq: Seq) -> String {
    format!("{seq:010}")
}

pub(super) fn commit(run_id: &RunId, first_seq: Seq) -> Key {
    key(run(run_id), seq(first_seq))
}

pub(super) fn dedupe(text: &str) -> Key {
    key(format!("DEDUPE#{}", bounded(text)), "DEDUPE")
}

pub(super) fn plan(digest: &Digest) -> Key {
    key(format!("PLAN#{digest}"), "PLAN")
}

/// The key of a run's live row: one row per concurrency key, so that one run holds it.
pub(super) fn live(run_id: &RunId, concurrency_key: Option<&str>) -> Key {
    let sk = match concurrency_key {
        Some(text) => format!("key:{}", bounded(text)),
        None => format!("run:{run_id}"),
    };
    live_by_sk(sk)
}

/// The key of the live row with that sort key.
pub(super) fn live_by_sk(sk: String) -> Key {
    // Any hash will do, as long as it never changes.
    let sum = sk.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    key(live_shard(sum % LIVE_SHARDS), sk)
}

pub(super) fn live_shard(shard: u32) -> String {
    format!("LIVE#{shard}")
}

pub(super) fn claim(claim: &ClaimKey) -> Key {
    key(format!("CLAIM#{}#{}", claim.action, bounded(&claim.attempt)), "CLAIM")
}

pub(super) fn cooldown(cooldown: &CooldownKey) -> Key {
    key(format!("COOLDOWN#{}#{}", cooldown.action, bounded(&cooldown.target)), "COOLDOWN")
}

pub(super) fn budget(budget: &BudgetKey) -> Key {
    key(format!("BUDGET#{}#{}", bounded(&budget.name), bounded(&budget.key)), "BUDGET")
}

pub(super) fn breaker(service: &str) -> Key {
    key(format!("BREAKER#{service}"), "BREAKER")
}

pub(super) fn repeat(counted: &str) -> Key {
    key(format!("REPEAT#{}", bounded(counted)), "REPEAT")
}

/// The partition of the levels of autonomy.
pub(super) const AUTONOMY: &str = "AUTONOMY";

pub(super) fn autonomy(playbook: &str) -> Key {
    key(AUTONOMY.to_owned(), bounded(playbook))
}

pub(super) fn check(name: &str) -> Key {
    key(format!("CHECK#{}", bounded(name)), "CHECK")
}

/// The partition of all halts.
pub(super) const HALTS: &str = "HALT";

pub(super) fn halt(id: &str) -> Key {
    key(HALTS.to_owned(), id)
}

/// The partitions of the index of ended runs: the statuses of the remediation API, and one of its own for completed runs that left
/// something for a person, so that nobody searches them among those that did not.
pub(super) const ENDED: [&str; 5] = ["COMPLETED", "DEGRADED", "FAILED", "CANCELLED", "TIMEOUT"];

/// The partition of an ended run; `None` for a live one.
pub(super) fn ended_partition(status: RunStatus, outcome: Option<RunOutcome>) -> Option<&'static str> {
    match outcome {
        Some(outcome @ RunOutcome::Degraded) => Some(outcome.as_str()),
        Some(_) | None => Some(status.as_str()).filter(|_| status.is_terminal()),
    }
}

/// An ended run's sort key in the index: by start, then by id.
pub(super) fn ended(started_at: Timestamp, run_id: &str) -> String {
    format!("{:020}#{run_id}", started_at.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_sort_as_they_count() {
        assert!(seq(9) < seq(10) && seq(99_999) < seq(200_000));
    }

    #[test]
    fn a_long_text_is_named_by_its_digest() {
        let long = "x".repeat(KEY_BYTES + 1);
        let row = live(&RunId::new("run-1"), Some(&long));
        assert!(row.sk.starts_with("key:sha256:") && row.sk.len() < 100, "{}", row.sk);
        assert_eq!(live(&RunId::new("run-1"), Some("ticket:1")).sk, "key:ticket:1");
    }

    #[test]
    fn every_ended_run_is_in_one_of_the_partitions() {
        let outcomes = [
            RunOutcome::Healed,
            RunOutcome::Degraded,
            RunOutcome::NotHealed,
            RunOutcome::Cancelled,
            RunOutcome::Timeout,
        ];
        let found = outcomes.map(|outcome| ended_partition(outcome.status(), Some(outcome)).unwrap());
        assert_eq!(found, ENDED);
        assert_eq!(ended_partition(RunStatus::Running, None), None);
    }

    #[test]
    fn live_rows_spread_over_the_shards() {
        let mut seen: Vec<String> = (0..100).map(|index| live(&RunId::new(format!("run-{index}")), None).pk).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), LIVE_SHARDS as usize, "{seen:?}");
    }
}
