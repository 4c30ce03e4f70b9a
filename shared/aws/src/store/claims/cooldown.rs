//! A cooldown: the time after a reservation in which no other attempt may touch the target.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::KeysAndAttributes;
use heal_runtime::Timestamp;
use heal_runtime::port::{
    BackendError, ClaimKey, CooldownKey, CooldownRequest, Cooling, LeaseOwner, Result, Taker, reservation_put_right,
};

use crate::limit::{BATCH_GET_KEYS, CONTENTION_TRIES, COOLDOWN_KEPT_MS};
use crate::store::call::{self, Change, Written, contended, pause};
use crate::store::item::{Attributes, Fields, Item, Key, PK};
use crate::store::{Store, key};

/// The outcome of reserving one target.
pub(super) enum ReserveOutcome {
    /// Reserved now.
    New,
    /// The same attempt reserved it earlier; the cooldown restarts now.
    Renewed,
    /// Another attempt's cooldown has not ended.
    Cooling { until: Timestamp },
}

const RESERVE: &str = "claims.reserve";

/// The attempt's name in a row.
fn name(attempt: &ClaimKey) -> String {
    format!("{}#{}", attempt.action, attempt.attempt)
}

/// Reserves the target from now on, also from the attempt that `taker` takes over.
pub(super) async fn reserve(
    store: &Store,
    wanted: &CooldownRequest,
    taker: &Taker<'_>,
    takes_over: Option<&str>,
) -> Result<ReserveOutcome> {
    let earlier = takes_over.map(|attempt| format!("{}#{attempt}", taker.attempt.action));
    let now = taker.now;
    let key = key::cooldown(&wanted.key);
    let until = now.plus_ms(wanted.cooldown_ms);
    let by = name(taker.attempt);
    for tried in 0..CONTENTION_TRIES {
        let fresh = Item::at(&key)
            .moment("reserved_at", now)
            .moment("cools_until", until)
            .text("reserved_by", &by)
            .text("holder", &taker.holder.0)
            .expires(until, COOLDOWN_KEPT_MS);
        let there = match store.put(RESERVE, fresh, "attribute_not_exists(pk)", Item::default()).await? {
            Written::Done(_) => return Ok(ReserveOutcome::New),
            Written::Refused(Some(there)) => there,
            Written::Refused(None) => continue,
        };
        let found = StoredCooldown::read(&there)?;
        let values = Item::default()
            .moment(":now", now)
            .moment(":until", until)
            .text(":by", &by)
            .number(":expires_at", until.plus_ms(COOLDOWN_KEPT_MS).0 / 1_000);
        let is_own = found.by.as_deref() == Some(by.as_str());
        let change = if is_own {
            // The same attempt again: the cooldown restarts now, and the reservation before it stays.
            let update = "SET reserved_at = :now, cools_until = :until, expires_at = :expires_at";
            Change { key: key.clone(), update, condition: "reserved_by = :by", values }
        } else if earlier.is_some() && found.by == earlier {
            let update = "SET reserved_at = :now, cools_until = :until, reserved_by = :by, holder = :holder, expires_at = :expires_at";
            let values =
                values.text(":holder", &taker.holder.0).text(":earlier", earlier.as_deref().unwrap_or_default());
            Change { key: key.clone(), update, condition: "reserved_by = :earlier", values }
        } else if found.until > now {
            let Some(right) = reservation_put_right(found.reserved_at, found.until, now) else {
                return Ok(ReserveOutcome::Cooling { until: found.until });
            };
            put_right(store, &key, found.reserved_at, right).await?;
            return Ok(ReserveOutcome::Cooling { until: right.1 });
        } else {
            Change {
                key: key.clone(),
                update: "SET before_at = reserved_at, before_until = cools_until, reserved_at = :now, cools_until = :until, \
                         reserved_by = :by, holder = :holder, expires_at = :expires_at",
                condition: "reserved_at = :was_at AND cools_until = :was_until AND (attribute_not_exists(reserved_by) OR reserved_by <> :by)",
                values: values
                    .text(":holder", &taker.holder.0)
                    .moment(":was_at", found.reserved_at)
                    .moment(":was_until", found.until),
            }
        };
        match store.update(RESERVE, change).await? {
            Written::Done(_) if is_own => return Ok(ReserveOutcome::Renewed),
            Written::Done(_) => return Ok(ReserveOutcome::New),
            Written::Refused(_) => pause(tried).await,
        }
    }
    Err(contended(RESERVE))
}

/// Writes the times of a reservation that a wrong clock made, unless somebody did so meanwhile.
async fn put_right(store: &Store, key: &Key, was: Timestamp, (at, until): (Timestamp, Timestamp)) -> Result<()> {
    let values = Item::default()
        .moment(":was", was)
        .moment(":at", at)
        .moment(":until", until)
        .number(":expires_at", until.plus_ms(COOLDOWN_KEPT_MS).0 / 1_000);
    let update = "SET reserved_at = :at, cools_until = :until, expires_at = :expires_at";
    let change = Change { key: key.clone(), update, condition: "reserved_at = :was", values };
    store.update(RESERVE, change).await.map(drop)
}

/// Undoes the reservation of `by`, by that owner if one is given; leaves any other reservation alone.
pub(super) async fn free(
    store: &Store,
    operation: &'static str,
    target: &CooldownKey,
    by: &ClaimKey,
    holder: Option<&LeaseOwner>,
) -> Result<()> {
    let key = key::cooldown(target);
    let values = Item::default().text(":by", name(by));
    let (values, gone, restored) = match holder {
        Some(holder) => (
            values.text(":holder", &holder.0),
            "reserved_by = :by AND holder = :holder AND attribute_not_exists(before_at)",
            "reserved_by = :by AND holder = :holder AND attribute_exists(before_at)",
        ),
        None => (
            values,
            "reserved_by = :by AND attribute_not_exists(before_at)",
            "reserved_by = :by AND attribute_exists(before_at)",
        ),
    };
    match store.delete(operation, &key, gone, values.clone()).await? {
        Written::Refused(Some(there)) if there.contains_key("before_at") => {
            let update = "SET reserved_at = before_at, cools_until = before_until REMOVE reserved_by, holder, tenure, before_at, before_until";
            store.update(operation, Change { key, update, condition: restored, values }).await.map(drop)
        }
        Written::Done(_) | Written::Refused(_) => Ok(()),
    }
}

/// Time of each target's last reservation by another attempt that was not freed; `None` if there was none.
pub(super) async fn last_touched(
    store: &Store,
    keys: &[CooldownKey],
    attempt: &ClaimKey,
) -> Result<Vec<Option<Timestamp>>> {
    let operation = "claims.last_touched";
    let names: Vec<Key> = keys.iter().map(key::cooldown).collect();
    let found = rows(store, operation, names.clone()).await?;
    let by = name(attempt);
    let touched = |key: &Key| found.get(&key.pk).map(StoredCooldown::read).transpose();
    names
        .iter()
        .map(|key| {
            Ok(touched(key)?.and_then(|found| {
                if found.by.as_deref() == Some(by.as_str()) { found.before_at } else { Some(found.reserved_at) }
            }))
        })
        .collect()
}

/// Those of the rows that exist, by their partition keys, which are unique.
pub(super) async fn rows(
    store: &Store,
    operation: &'static str,
    mut keys: Vec<Key>,
) -> Result<HashMap<String, Attributes>> {
    keys.sort_by(|a, b| a.pk.cmp(&b.pk));
    keys.dedup();
    let mut found: HashMap<String, Attributes> = HashMap::new();
    for chunk in keys.chunks(BATCH_GET_KEYS) {
        for row in batch(store, operation, chunk).await? {
            let pk = Fields::read(operation, &row)?.text(PK)?.to_owned();
            found.insert(pk, row);
        }
    }
    Ok(found)
}

/// The reservation in a row.
pub(super) fn peeked(row: &Attributes) -> Result<Cooling> {
    let StoredCooldown { reserved_at: since, until, by, .. } = StoredCooldown::read(row)?;
    let by = by.map(|by| by.split_once('#').map_or(by.clone(), |(_, attempt)| attempt.to_owned()));
    Ok(Cooling { since, until, by })
}

/// Reads those of the rows that exist, strongly consistent.
async fn batch(store: &Store, operation: &'static str, keys: &[Key]) -> Result<Vec<Attributes>> {
    let mut wanted: Vec<Attributes> = keys.iter().map(Key::attributes).collect();
    let mut rows = Vec::new();
    for tried in 0..CONTENTION_TRIES {
        let asked = KeysAndAttributes::builder().set_keys(Some(wanted)).consistent_read(true).build();
        let asked = asked.map_err(|error| BackendError::corrupt(operation, error.to_string()))?;
        let call = store.client.batch_get_item().request_items(&*store.table, asked);
        let mut answer = Box::pin(call.send()).await.map_err(|error| call::wrap_sdk_error(operation, &error))?;
        let found = answer.responses.as_mut().and_then(|found| found.remove(&*store.table));
        rows.extend(found.unwrap_or_default());
        let left = answer.unprocessed_keys.as_mut().and_then(|left| left.remove(&*store.table));
        match left {
            None => return Ok(rows),
            Some(left) => wanted = left.keys,
        }
        pause(tried).await;
    }
    Err(contended(operation))
}

/// A reservation as it is stored.
struct StoredCooldown {
    reserved_at: Timestamp,
    until: Timestamp,
    /// `None` if the last reservation was freed; then the times are those of the reservation before it.
    by: Option<String>,
    /// Start of the reservation before this one, if that was not freed.
    before_at: Option<Timestamp>,
}

impl StoredCooldown {
    fn read(row: &Attributes) -> Result<Self> {
        let fields = Fields::read(RESERVE, row)?;
        Ok(Self {
            reserved_at: fields.moment("reserved_at")?,
            until: fields.moment("cools_until")?,
            by: fields.maybe_text("reserved_by")?.map(ToOwned::to_owned),
            before_at: fields.maybe_moment("before_at")?,
        })
    }
}
