//! A claim: the right to perform one attempt.

use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::port::{
    BudgetKey, BudgetRequest, ClaimKey, ClaimRequest, CooldownKey, Finish, LeaseOwner, Result, lease_put_right,
};
use heal_runtime::{AttemptResult, Timestamp, format};
use serde_json::Value;

use crate::limit::{CLAIM_KEPT_MS, CONTENTION_TRIES, WRITE_UNIT_BYTES};
use crate::store::call::{Change, Written, contended, pause};
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{Store, key, pack};
use crate::text::chain;

/// The outcome of taking a claim.
pub(super) enum TakeOutcome {
    /// The caller owns the claim.
    Held {
        /// Whether an earlier owner may have acted.
        recovered: bool,
    },
    /// Another owner's lease has not ended.
    Busy { until: Timestamp },
    /// The attempt has a result.
    Finished(Box<AttemptResult>),
}

/// The outcome of storing a result.
pub(super) enum FinishOutcome {
    /// Stored by this call.
    Now {
        /// What the claim's owner had listed.
        listed: Listed,
    },
    /// An earlier call stored the same result.
    Before,
    /// The claim belongs to another owner.
    Lost,
}

/// A claim that its owner is about to release.
pub(super) struct HeldClaim {
    pub recovered: bool,
    pub listed: Listed,
}

/// What an owner listed in its claim before it reserved it.
#[derive(Default)]
pub(super) struct Listed {
    pub cooldowns: Vec<CooldownKey>,
    pub places: Vec<(BudgetKey, CooldownKey)>,
}

pub(super) const RESERVE: &str = "claims.reserve";
pub(super) const FINISH: &str = "claims.finish";

/// Takes the claim if it is free, the owner's own, or expired, and lists in it what is to be reserved.
pub(super) async fn take(store: &Store, request: &ClaimRequest) -> Result<TakeOutcome> {
    for tried in 0..CONTENTION_TRIES {
        let there = match first_take(store, request).await? {
            Written::Done(row) => return held_by(&row),
            Written::Refused(there) => there,
        };
        // Its owner released it since.
        let Some(there) = there else { continue };
        let fields = Fields::read(RESERVE, &there)?;
        if there.contains_key("answer") {
            return finished(&fields);
        }
        let (holder, lease_until) = (fields.maybe_text("holder")?, fields.moment("lease_until")?);
        if holder.is_some() && lease_until > request.now {
            let Some(until) = lease_put_right(lease_until, request) else {
                return Ok(TakeOutcome::Busy { until: lease_until });
            };
            put_right(store, &request.key, lease_until, until).await?;
            return Ok(TakeOutcome::Busy { until });
        }
        match take_over(store, request, fields.number("tenure")?).await? {
            Written::Done(row) => return held_by(&row),
            Written::Refused(_) => pause(tried).await,
        }
    }
    Err(contended(RESERVE))
}

/// The result in the row.
pub(super) fn finished(fields: &Fields<'_>) -> Result<TakeOutcome> {
    let result = fields.packed("answer")?;
    let result: AttemptResult = format::decode(&result).map_err(|error| fields.corrupt("answer", chain(&error)))?;
    Ok(TakeOutcome::Finished(Box::new(result)))
}

/// Writes the end of a lease that a wrong clock took, unless it changed meanwhile.
async fn put_right(store: &Store, key: &ClaimKey, was: Timestamp, until: Timestamp) -> Result<()> {
    let values = Item::default().moment(":was", was).moment(":until", until);
    let condition = "lease_until = :was AND attribute_not_exists(answer)";
    let change = Change { key: key::claim(key), update: "SET lease_until = :until", condition, values };
    store.update(RESERVE, change).await.map(drop)
}

fn held_by(row: &Attributes) -> Result<TakeOutcome> {
    let fields = Fields::read(RESERVE, row)?;
    Ok(TakeOutcome::Held { recovered: fields.flag("recovered") })
}

/// Creates the claim, or extends the owner's own.
async fn first_take(store: &Store, request: &ClaimRequest) -> Result<Written> {
    let mut values = values(request).number(":first", 1).flag(":no", false);
    let reserved = reserved(request);
    let update = if reserved.is_empty() {
        "SET holder = :holder, lease_until = :lease_until, tenure = if_not_exists(tenure, :first), \
         recovered = if_not_exists(recovered, :no), expires_at = :expires_at"
    } else {
        values = values.value(":reserved", AttributeValue::Ss(reserved));
        "SET holder = :holder, lease_until = :lease_until, tenure = if_not_exists(tenure, :first), \
         recovered = if_not_exists(recovered, :no), expires_at = :expires_at ADD reserved :reserved"
    };
    let change = Change {
        key: key::claim(&request.key),
        update,
        condition: "attribute_not_exists(pk) OR (holder = :holder AND attribute_not_exists(answer))",
        values,
    };
    store.update(RESERVE, change).await
}

/// Takes over a claim whose lease ended, or that was released after a recovery. Guarded by the fencing token that was read.
async fn take_over(store: &Store, request: &ClaimRequest, fencing_token: u64) -> Result<Written> {
    let mut values = values(request)
        .number(":tenure", fencing_token)
        .number(":next", fencing_token + 1)
        .flag(":yes", true)
        .moment(":now", request.now);
    let reserved = reserved(request);
    let update = if reserved.is_empty() {
        "SET holder = :holder, lease_until = :lease_until, tenure = :next, recovered = :yes, expires_at = :expires_at \
         REMOVE reserved"
    } else {
        values = values.value(":reserved", AttributeValue::Ss(reserved));
        "SET holder = :holder, lease_until = :lease_until, tenure = :next, recovered = :yes, expires_at = :expires_at, \
         reserved = :reserved"
    };
    let change = Change {
        key: key::claim(&request.key),
        update,
        condition: "tenure = :tenure AND attribute_not_exists(answer) \
                    AND (attribute_not_exists(holder) OR lease_until <= :now)",
        values,
    };
    store.update(RESERVE, change).await
}

fn values(request: &ClaimRequest) -> Item {
    Item::default()
        .text(":holder", &request.holder.0)
        .moment(":lease_until", request.lease_until)
        .number(":expires_at", request.now.plus_ms(CLAIM_KEPT_MS).0 / 1_000)
}

/// Targets and places as a set of texts: JSON arrays of action and target, and of action, target, budget and key.
pub(super) fn reserved(request: &ClaimRequest) -> Vec<String> {
    let target = |key: &CooldownKey| serde_json::json!([key.action, key.target]).to_string();
    let place = |place: &BudgetRequest| {
        let BudgetRequest { target, key, .. } = place;
        serde_json::json!([target.action, target.target, key.name, key.key]).to_string()
    };
    let targets = request.cooldowns.iter().map(|cooldown| target(&cooldown.key));
    let mut all: Vec<String> = targets.chain(request.budgets.iter().map(place)).collect();
    all.sort();
    all.dedup();
    all
}

impl Listed {
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        let mut listed = Self::default();
        for text in fields.set("reserved")? {
            let parts: Vec<String> = serde_json::from_str(text).map_err(|error| fields.corrupt("reserved", error))?;
            match <[String; 2]>::try_from(parts) {
                Ok([action, target]) => listed.cooldowns.push(CooldownKey { action, target }),
                Err(parts) => {
                    let place = <[String; 4]>::try_from(parts);
                    let place = place.map_err(|parts| fields.corrupt("reserved", format!("has {} parts", parts.len())));
                    let [action, target, name, key] = place?;
                    listed.places.push((BudgetKey { name, key }, CooldownKey { action, target }));
                }
            }
        }
        Ok(listed)
    }
}

/// Stores the intent if the claim is live and the owner's.
pub(super) async fn intend(
    store: &Store,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
    intent: &str,
) -> Result<Finish> {
    let packed = pack::pack(intent, WRITE_UNIT_BYTES / 2);
    let change = Change {
        key: key::claim(key),
        update: "SET intent = :intent",
        condition: "holder = :holder AND attribute_not_exists(answer) AND lease_until > :now",
        values: Item::default().value(":intent", packed).text(":holder", &holder.0).moment(":now", now),
    };
    match store.update("claims.intend", change).await? {
        Written::Done(_) => Ok(Finish::Stored),
        Written::Refused(_) => Ok(Finish::Lost),
    }
}

/// The last stored intent.
pub(super) async fn intent(store: &Store, key: &ClaimKey) -> Result<Option<Value>> {
    let operation = "claims.intent";
    let Some(row) = store.get(operation, &key::claim(key)).await? else { return Ok(None) };
    read_intent(operation, &row)
}

pub(super) fn read_intent(operation: &'static str, row: &Attributes) -> Result<Option<Value>> {
    if !row.contains_key("intent") {
        return Ok(None);
    }
    let fields = Fields::read(operation, row)?;
    let read = serde_json::from_str(&fields.packed("intent")?);
    read.map(Some).map_err(|error| fields.corrupt("intent", chain(&error)))
}

pub(super) async fn finish(
    store: &Store,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
    result: &str,
) -> Result<FinishOutcome> {
    let packed = pack::pack(result, WRITE_UNIT_BYTES / 2);
    let change = Change {
        key: key::claim(key),
        update: "SET answer = :answer",
        condition: "holder = :holder AND attribute_not_exists(answer) AND lease_until > :now",
        values: Item::default().value(":answer", packed).text(":holder", &holder.0).moment(":now", now),
    };
    match store.update(FINISH, change).await? {
        Written::Done(row) => Ok(FinishOutcome::Now { listed: Listed::read(&Fields::read(FINISH, &row)?)? }),
        Written::Refused(None) => Ok(FinishOutcome::Lost),
        Written::Refused(Some(there)) => {
            let fields = Fields::read(FINISH, &there)?;
            let own = fields.maybe_text("holder")? == Some(holder.0.as_str()) && there.contains_key("answer");
            Ok(if own && fields.packed("answer")? == result { FinishOutcome::Before } else { FinishOutcome::Lost })
        }
    }
}

/// The claim, if it is the owner's and has no result.
pub(super) async fn held(
    store: &Store,
    operation: &'static str,
    key: &ClaimKey,
    holder: &LeaseOwner,
) -> Result<Option<HeldClaim>> {
    let Some(row) = store.get(operation, &key::claim(key)).await? else { return Ok(None) };
    let fields = Fields::read(operation, &row)?;
    if fields.maybe_text("holder")? != Some(holder.0.as_str()) || row.contains_key("answer") {
        return Ok(None);
    }
    Ok(Some(HeldClaim { recovered: fields.flag("recovered"), listed: Listed::read(&fields)? }))
}

/// Removes the claim. If an earlier owner may have acted, the row stays without an owner, so that the next one recovers the attempt.
pub(super) async fn release(
    store: &Store,
    operation: &'static str,
    key: &ClaimKey,
    holder: &LeaseOwner,
    recovered: bool,
) -> Result<()> {
    let key = key::claim(key);
    let condition = "holder = :holder AND attribute_not_exists(answer)";
    let values = Item::default().text(":holder", &holder.0);
    if recovered {
        let change = Change { key, update: "REMOVE holder, reserved", condition, values };
        store.update(operation, change).await.map(drop)
    } else {
        store.delete(operation, &key, condition, values).await.map(drop)
    }
}
