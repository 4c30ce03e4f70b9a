//! Plans: compiled playbooks under their digests.
//!
//! Many runs share a plan. It expires by DynamoDB's own expiry, long after the last run that can have started with it: whoever starts runs
//! stores the plan again from day to day, which prolongs it.

use heal_runtime::port::Result;
use heal_runtime::{Digest, Timestamp};

use crate::limit::{CONTENTION_TRIES, PLAIN_PLAN_BYTES};
use crate::store::call::{Change, Written, contended, pause};
use crate::store::item::{Attributes, EXPIRES_AT, Fields, Item};
use crate::store::{Store, key, pack};

const DAY_SECONDS: u64 = 86_400;

pub(super) async fn read(store: &Store, digest: &Digest) -> Result<Option<String>> {
    let operation = "runs.plan";
    let found = store.get(operation, &key::plan(digest)).await?;
    found.map(|row| body(operation, &row)).transpose()
}

pub(super) fn body(operation: &'static str, row: &Attributes) -> Result<String> {
    Fields::read(operation, row)?.packed("body")
}

/// Stores the plan, or prolongs the stored one. A row of an earlier build has no expiry and gets one.
pub(super) async fn put(store: &Store, digest: &Digest, plan: &str, keep_until: Timestamp) -> Result<()> {
    let operation = "runs.put_plan";
    let expires_at = expires_at(keep_until, store.keep_runs_ms);
    for tried in 0..CONTENTION_TRIES {
        let written = match store.get(operation, &key::plan(digest)).await? {
            None => {
                let body = pack::pack(plan, PLAIN_PLAN_BYTES);
                let item = Item::at(&key::plan(digest)).value("body", body).number(EXPIRES_AT, expires_at);
                store.put(operation, item, "attribute_not_exists(pk)", Item::default()).await?
            }
            Some(row) if Fields::read(operation, &row)?.maybe_number(EXPIRES_AT)? >= Some(expires_at) => return Ok(()),
            Some(_) => {
                let change = Change {
                    key: key::plan(digest),
                    update: "SET expires_at = :expires_at",
                    condition: "attribute_exists(pk) AND (attribute_not_exists(expires_at) OR expires_at < :expires_at)",
                    values: Item::default().number(":expires_at", expires_at),
                };
                store.update(operation, change).await?
            }
        };
        match written {
            Written::Done(_) => return Ok(()),
            // Another process stored or prolonged it, or it expired, since it was read.
            Written::Refused(_) => pause(tried).await,
        }
    }
    Err(contended(operation))
}

/// Epoch seconds, as DynamoDB's expiry wants them. Rounded up to a day, so that a plan in use is written once a day, however many
/// processes store it.
fn expires_at(keep_until: Timestamp, keep_runs_ms: u64) -> u64 {
    (keep_until.plus_ms(keep_runs_ms).0 / 1_000).div_ceil(DAY_SECONDS).saturating_mul(DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_expires_on_the_day_after_the_last_run_that_can_have_it() {
        let day_ms = DAY_SECONDS * 1_000;
        assert_eq!(expires_at(Timestamp(5 * day_ms), 90 * day_ms), 95 * DAY_SECONDS);
        assert_eq!(expires_at(Timestamp(5 * day_ms + 1_000), 90 * day_ms), 96 * DAY_SECONDS);
    }
}
