//! The right to perform an attempt.

use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::port::{BackendError, ClaimKey, ClaimRequest, CooldownKey, LeaseOwner, Result};
use heal_runtime::{AttemptResult, Timestamp};

use crate::limit::{CLAIM_KEPT_MS, CONTENTION_TRIES, WRITE_UNIT_BYTES};
use crate::store::call::{Change, Written, contended, pause};
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{Store, key, pack};

/// How taking the claim went.
pub(super) enum Taken {
    Held {
        recovered: bool,
        /// Counts the holders of this claim.
        tenure: u64,
    },
    Busy {
        until: Timestamp,
    },
    Finished(Box<AttemptResult>),
}

/// How storing a result went.
pub(super) enum Finished {
    Now,
    /// The same result was there already.
    Before,
    Lost,
}

/// A claim that its holder is about to let go of.
pub(super) struct HeldClaim {
    pub recovered: bool,
    pub tenure: u64,
    /// What this holder wrote down to reserve.
    pub reserved: Vec<CooldownKey>,
}

const RESERVE: &str = "claims.reserve";

/// Takes the claim where it is free, the holder's own, or expired; and writes down the targets that are to be reserved.
pub(super) async fn take(store: &Store, request: &ClaimRequest) -> Result<Taken> {
    for tried in 0..CONTENTION_TRIES {
        let there = match first_take(store, request).await? {
            Written::Done(row) => return held_by(&row),
            Written::Refused(there) => there,
        };
        // Gone again: its holder has let go of it.
        let Some(there) = there else { continue };
        let fields = Fields::new(RESERVE, &there);
        if there.contains_key("answer") {
            let result = fields.packed("answer")?;
            return Ok(Taken::Finished(
                serde_json::from_str(&result).map_err(|error| fields.corrupt("answer", error))?,
            ));
        }
        let (holder, lease_until) = (fields.maybe_text("holder")?, fields.moment("lease_until")?);
        if holder.is_some() && lease_until > request.now {
            return Ok(Taken::Busy { until: lease_until });
        }
        match take_over(store, request, fields.number("tenure")?).await? {
            Written::Done(row) => return held_by(&row),
            Written::Refused(_) => pause(tried).await,
        }
    }
    Err(contended(RESERVE))
}

fn held_by(row: &Attributes) -> Result<Taken> {
    let fields = Fields::new(RESERVE, row);
    Ok(Taken::Held { recovered: fields.flag("recovered"), tenure: fields.number("tenure")? })
}

/// A new claim, or the holder's own once more.
async fn first_take(store: &Store, request: &ClaimRequest) -> Result<Written> {
    let mut values = values(request).number(":first", 1).flag(":no", false);
    let update = if request.cooldowns.is_empty() {
        "SET holder = :holder, lease_until = :lease_until, tenure = if_not_exists(tenure, :first), \
         recovered = if_not_exists(recovered, :no), expires_at = :expires_at"
    } else {
        values = values.value(":reserved", reserved(request));
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

/// The claim of a holder whose lease ran out, or who let go of it after another one's had. Guarded by the tenure that was read.
async fn take_over(store: &Store, request: &ClaimRequest, tenure: u64) -> Result<Written> {
    let mut values = values(request)
        .number(":tenure", tenure)
        .number(":next", tenure + 1)
        .flag(":yes", true)
        .moment(":now", request.now);
    let update = if request.cooldowns.is_empty() {
        "SET holder = :holder, lease_until = :lease_until, tenure = :next, recovered = :yes, expires_at = :expires_at \
         REMOVE reserved"
    } else {
        values = values.value(":reserved", reserved(request));
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

/// The targets as a set of texts: JSON pairs of action and target.
fn reserved(request: &ClaimRequest) -> AttributeValue {
    let pair = |key: &CooldownKey| serde_json::json!([key.action, key.target]).to_string();
    let mut pairs: Vec<String> = request.cooldowns.iter().map(|cooldown| pair(&cooldown.key)).collect();
    pairs.sort();
    pairs.dedup();
    AttributeValue::Ss(pairs)
}

pub(super) async fn finish(
    store: &Store,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
    result: &str,
) -> Result<Finished> {
    let operation = "claims.finish";
    let packed = pack::pack(result, WRITE_UNIT_BYTES / 2);
    let change = Change {
        key: key::claim(key),
        update: "SET answer = :answer",
        condition: "holder = :holder AND attribute_not_exists(answer) AND lease_until > :now",
        values: Item::default().value(":answer", packed).text(":holder", &holder.0).moment(":now", now),
    };
    match store.update(operation, change).await? {
        Written::Done(_) => Ok(Finished::Now),
        Written::Refused(None) => Ok(Finished::Lost),
        Written::Refused(Some(there)) => {
            let fields = Fields::new(operation, &there);
            let own = fields.maybe_text("holder")? == Some(holder.0.as_str()) && there.contains_key("answer");
            Ok(if own && fields.packed("answer")? == result { Finished::Before } else { Finished::Lost })
        }
    }
}

/// The claim, where it is the holder's and has no result.
pub(super) async fn held(
    store: &Store,
    operation: &'static str,
    key: &ClaimKey,
    holder: &LeaseOwner,
) -> Result<Option<HeldClaim>> {
    let Some(row) = store.get(operation, &key::claim(key)).await? else { return Ok(None) };
    let fields = Fields::new(operation, &row);
    if fields.maybe_text("holder")? != Some(holder.0.as_str()) || row.contains_key("answer") {
        return Ok(None);
    }
    let target = |pair: &String| {
        let (action, target) = serde_json::from_str(pair).map_err(|error| fields.corrupt("reserved", error))?;
        Ok::<_, BackendError>(CooldownKey { action, target })
    };
    Ok(Some(HeldClaim {
        recovered: fields.flag("recovered"),
        tenure: fields.number("tenure")?,
        reserved: fields.set("reserved")?.iter().map(target).collect::<Result<_>>()?,
    }))
}

/// What an earlier holder may have done is not forgotten with the claim.
pub(super) async fn let_go(
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
