//! A claim: the right to perform one attempt.

use std::collections::BTreeSet;

use heal_runtime::port::{
    BudgetKey, ClaimKey, ClaimRequest, CooldownKey, Finish, LeaseOwner, Reservation, Stage, lease_put_right,
};
use heal_runtime::{AttemptResult, Seq, Timestamp, format};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;

use super::place::{self, Place};
use super::{budget, cooldown};
use crate::column::{integer, millis, moment};
use crate::error::JobError;
use crate::runs;

/// A claim as it is stored.
struct Claim {
    /// `None` after a release that kept the claim because an earlier owner may have acted.
    holder: Option<String>,
    lease_until: Timestamp,
    /// Whether an earlier owner may have acted.
    recovered: bool,
    /// The targets that this owner reserved, as JSON pairs of action and target; those of earlier owners are not among them.
    reserved: String,
    /// The budgets that this owner asked for places in, as JSON quadruples of name, key, action and target.
    asked: String,
    /// As text, wherever it is stored.
    result: Option<String>,
}

/// Where the result of an attempt is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultPlace {
    /// In the claim.
    Claim,
    /// In its run's event with this sequence number, which the same transaction writes.
    Log(Seq),
}

impl Claim {
    fn is_held_by(&self, holder: &LeaseOwner) -> bool {
        self.holder.as_ref() == Some(&holder.0)
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.holder.is_some() && self.lease_until > now
    }

    /// Whether this result is the claim's, or may become so.
    fn can_finish(&self, holder: &LeaseOwner, now: Timestamp, result: &str) -> bool {
        self.is_held_by(holder) && self.result.as_ref().map_or_else(|| self.is_live(now), |stored| stored == result)
    }

    /// The targets that this owner reserved.
    fn reserved(&self, key: &ClaimKey) -> Result<Vec<CooldownKey>, JobError> {
        let pairs: Vec<(String, String)> =
            serde_json::from_str(&self.reserved).map_err(|error| JobError::corrupt(name_claim(key), error))?;
        Ok(pairs.into_iter().map(|(action, target)| CooldownKey { action, target }).collect())
    }

    /// The budgets that this owner asked for places in, each with the target.
    fn asked(&self, key: &ClaimKey) -> Result<Vec<(BudgetKey, CooldownKey)>, JobError> {
        let all: Vec<(String, String, String, String)> =
            serde_json::from_str(&self.asked).map_err(|error| JobError::corrupt(name_claim(key), error))?;
        let pair = |(name, key, action, target)| (BudgetKey { name, key }, CooldownKey { action, target });
        Ok(all.into_iter().map(pair).collect())
    }
}

fn name_claim(key: &ClaimKey) -> String {
    format!("claim of {} on {}", key.attempt, key.action)
}

fn find(connection: &Connection, key: &ClaimKey) -> Result<Option<Claim>, JobError> {
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    let mut select = connection.prepare_cached(
        "SELECT holder, lease_until, recovered, reserved, asked, result, result_seq FROM claim
         WHERE run_no = ?1 AND attempt = ?2 AND action = ?3",
    )?;
    let found = select.query_row(params![run_no, attempt, action], |row| {
        let claim = Claim {
            holder: row.get(0)?,
            lease_until: moment(row, 1)?,
            recovered: row.get(2)?,
            reserved: row.get(3)?,
            asked: row.get(4)?,
            result: row.get(5)?,
        };
        Ok((claim, row.get::<_, Option<i64>>(6)?))
    });
    match found.optional()? {
        Some((claim, Some(seq))) if claim.result.is_none() => {
            let result = runs::read::result_at(connection, run_no, seq, || name_claim(key))?;
            Ok(Some(Claim { result: Some(result), ..claim }))
        }
        found => Ok(found.map(|(claim, _)| claim)),
    }
}

/// Whether the store has the claim, whosever it is.
pub(super) fn exists(connection: &Connection, key: &ClaimKey) -> Result<bool, JobError> {
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    let mut select =
        connection.prepare_cached("SELECT 1 FROM claim WHERE run_no = ?1 AND attempt = ?2 AND action = ?3")?;
    Ok(select.exists(params![run_no, attempt, action])?)
}

/// Whether the holder's claim lives on.
pub(super) fn is_live(
    connection: &Connection,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
) -> Result<bool, JobError> {
    let found = find(connection, key)?;
    Ok(found.is_some_and(|claim| claim.is_held_by(holder) && claim.result.is_none() && claim.is_live(now)))
}

pub(super) fn reserve(connection: &Connection, request: &ClaimRequest) -> Result<Reservation, JobError> {
    let ClaimRequest { key, holder, now, lease_until, budgets, intent, stage, .. } = request;
    let (recovered, mut reserved, mut asked) = match find(connection, key)? {
        None => (false, Vec::new(), Vec::new()),
        Some(Claim { result: Some(result), .. }) => {
            let result: AttemptResult =
                format::decode(&result).map_err(|error| JobError::unreadable(name_claim(key), &error))?;
            return Ok(Reservation::Finished(Box::new(result)));
        }
        Some(claim) if claim.is_held_by(holder) => (claim.recovered, claim.reserved(key)?, claim.asked(key)?),
        Some(claim) if claim.is_live(*now) => {
            let until = lease_put_right(claim.lease_until, request);
            until.map_or(Ok(()), |until| put_right(connection, key, until))?;
            return Ok(Reservation::Busy { until: until.unwrap_or(claim.lease_until) });
        }
        Some(_) => (true, Vec::new(), Vec::new()),
    };
    let (mut cooling, mut uses) = (Vec::new(), Vec::new());
    if *stage != Stage::Announce {
        let new;
        (cooling, new) = cooldown::reserve_all(connection, request)?;
        let mut refused: BTreeSet<_> = cooling.iter().map(|(key, _)| key.clone()).collect();
        uses = budget::take_all(connection, request, &mut refused)?;
        for key in new {
            if refused.contains(&key) {
                // What a budget refuses gives its cooldown back.
                cooldown::free(connection, &key, &request.key)?;
            } else {
                reserved.push(key);
            }
        }
        asked.extend(budgets.iter().map(|wanted| (wanted.key.clone(), wanted.target.clone())));
        asked.sort();
        asked.dedup();
    }
    let intent = intent.as_ref().map(Value::to_string);
    let mut upsert = connection.prepare_cached(
        "INSERT INTO claim (run_no, attempt, action, holder, lease_until, recovered, reserved, asked, intent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (run_no, attempt, action) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until,
         recovered = excluded.recovered, reserved = excluded.reserved, asked = excluded.asked,
         intent = coalesce(excluded.intent, intent)",
    )?;
    let (reserved, asked) = (pairs(key, &reserved)?, quadruples(key, &asked)?);
    let lease_until = millis(*lease_until);
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    upsert.execute(params![run_no, attempt, action, holder.0, lease_until, recovered, reserved, asked, intent])?;
    Ok(Reservation::Held { recovered, cooling, budgets: uses })
}

/// Writes the end of a lease that a wrong clock took.
fn put_right(connection: &Connection, key: &ClaimKey, until: Timestamp) -> Result<(), JobError> {
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    let sql = "UPDATE claim SET lease_until = ?4 WHERE run_no = ?1 AND attempt = ?2 AND action = ?3";
    connection.prepare_cached(sql)?.execute(params![run_no, attempt, action, millis(until)])?;
    Ok(())
}

/// The column `reserved`.
fn pairs(key: &ClaimKey, reserved: &[CooldownKey]) -> Result<String, JobError> {
    let pairs: Vec<(&str, &str)> = reserved.iter().map(|key| (key.action.as_str(), key.target.as_str())).collect();
    serde_json::to_string(&pairs).map_err(|error| JobError::corrupt(name_claim(key), error))
}

/// The column `asked`.
fn quadruples(key: &ClaimKey, asked: &[(BudgetKey, CooldownKey)]) -> Result<String, JobError> {
    let all: Vec<(&str, &str, &str, &str)> =
        asked.iter().map(|(budget, target)| (&*budget.name, &*budget.key, &*target.action, &*target.target)).collect();
    serde_json::to_string(&all).map_err(|error| JobError::corrupt(name_claim(key), error))
}

/// Stores the intent if the claim is live and the holder's.
pub(super) fn intend(
    connection: &Connection,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
    intent: &str,
) -> Result<Finish, JobError> {
    let mut update = connection.prepare_cached(
        "UPDATE claim SET intent = ?6
         WHERE run_no = ?1 AND attempt = ?2 AND action = ?3 AND holder = ?4 AND lease_until > ?5
         AND result IS NULL AND result_seq IS NULL",
    )?;
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    let changed = update.execute(params![run_no, attempt, action, holder.0, millis(now), intent])?;
    Ok(if changed == 1 { Finish::Stored } else { Finish::Lost })
}

/// The last stored intent.
pub(super) fn intent(connection: &Connection, key: &ClaimKey) -> Result<Option<Value>, JobError> {
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    let mut select =
        connection.prepare_cached("SELECT intent FROM claim WHERE run_no = ?1 AND attempt = ?2 AND action = ?3")?;
    let stored: Option<Option<String>> =
        select.query_row(params![run_no, attempt, action], |row| row.get(0)).optional()?;
    let read = |text: String| serde_json::from_str(&text).map_err(|error| JobError::corrupt(name_claim(key), error));
    stored.flatten().map(read).transpose()
}

/// Whether [`finish`] would store the result.
pub(super) fn can_finish(
    connection: &Connection,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
    result: &str,
) -> Result<bool, JobError> {
    Ok(find(connection, key)?.is_some_and(|claim| claim.can_finish(holder, now, result)))
}

pub(super) fn finish(
    connection: &Connection,
    key: &ClaimKey,
    holder: &LeaseOwner,
    now: Timestamp,
    (result, stored_in): (&str, ResultPlace),
    proven_not_applied: &[CooldownKey],
) -> Result<Finish, JobError> {
    let Some(claim) = find(connection, key)?.filter(|claim| claim.can_finish(holder, now, result)) else {
        return Ok(Finish::Lost);
    };
    if claim.result.is_some() {
        return Ok(Finish::Stored);
    }
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    let mut update = connection.prepare_cached(
        "UPDATE claim SET result = ?4, result_seq = ?5 WHERE run_no = ?1 AND attempt = ?2 AND action = ?3",
    )?;
    let (text, seq) = match stored_in {
        ResultPlace::Claim => (Some(result), None),
        ResultPlace::Log(seq) => (None, Some(integer(seq))),
    };
    update.execute(params![run_no, attempt, action, text, seq])?;
    for target in proven_not_applied {
        cooldown::free(connection, target, key)?;
    }
    let asked = claim.asked(key)?;
    for (budget, target) in asked.iter().filter(|(budget, target)| budget.is_freed(target, proven_not_applied)) {
        budget::give_back(connection, budget, target, key, holder)?;
    }
    Ok(Finish::Stored)
}

pub(super) fn release(connection: &Connection, key: &ClaimKey, holder: &LeaseOwner) -> Result<(), JobError> {
    let held = find(connection, key)?.filter(|claim| claim.is_held_by(holder) && claim.result.is_none());
    let Some(claim) = held else { return Ok(()) };
    for target in claim.reserved(key)? {
        cooldown::free(connection, &target, key)?;
    }
    for (budget, target) in claim.asked(key)? {
        budget::give_back(connection, &budget, &target, key, holder)?;
    }
    // If an earlier owner may have acted, the claim stays, so that the next one recovers the attempt.
    let sql = if claim.recovered {
        "UPDATE claim SET holder = NULL, reserved = '[]', asked = '[]' WHERE run_no = ?1 AND attempt = ?2 AND action = ?3"
    } else {
        "DELETE FROM claim WHERE run_no = ?1 AND attempt = ?2 AND action = ?3"
    };
    let Place { run_no, attempt, action } = place::find(connection, key)?;
    connection.prepare_cached(sql)?.execute(params![run_no, attempt, action])?;
    Ok(())
}
