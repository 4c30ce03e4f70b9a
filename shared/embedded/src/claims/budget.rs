//! A budget: one row has the places of one counter that are taken.

use std::collections::BTreeSet;

use heal_runtime::port::{
    BudgetKey, BudgetRequests, BudgetUse, ClaimKey, ClaimRequest, CooldownKey, LeaseOwner, PlaceOutcome, Places, Taker,
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::column::millis;
use crate::error::JobError;

fn name_budget(key: &BudgetKey) -> String {
    format!("budget {:?} for {:?}", key.name, key.key)
}

pub(super) fn find(connection: &Connection, key: &BudgetKey) -> Result<Places, JobError> {
    let mut select = connection.prepare_cached("SELECT places FROM budget WHERE name = ?1 AND key = ?2")?;
    let stored: Option<String> = select.query_row([&key.name, &key.key], |row| row.get(0)).optional()?;
    let read = |text: String| serde_json::from_str(&text).map_err(|error| JobError::corrupt(name_budget(key), error));
    stored.map_or_else(|| Ok(Places::default()), read)
}

fn store(connection: &Connection, key: &BudgetKey, places: &Places) -> Result<(), JobError> {
    let Some(until) = places.until() else {
        let mut delete = connection.prepare_cached("DELETE FROM budget WHERE name = ?1 AND key = ?2")?;
        delete.execute([&key.name, &key.key])?;
        return Ok(());
    };
    let text = serde_json::to_string(places).map_err(|error| JobError::corrupt(name_budget(key), error))?;
    let mut write = connection.prepare_cached(
        "INSERT INTO budget (name, key, until, places) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (name, key) DO UPDATE SET until = excluded.until, places = excluded.places",
    )?;
    write.execute(params![key.name, key.key, millis(until), text])?;
    Ok(())
}

/// Takes places budget by budget. A target without one is added to `refused`, and gives back the places that it has.
pub(super) fn take_all(
    connection: &Connection,
    request: &ClaimRequest,
    refused: &mut BTreeSet<CooldownKey>,
) -> Result<Vec<BudgetUse>, JobError> {
    let ClaimRequest { key: attempt, holder, now, .. } = request;
    let taker = Taker { attempt, holder, now: *now };
    let (mut uses, mut new) = (Vec::new(), Vec::new());
    for mut wanted in BudgetRequests::by_counter(&request.budgets) {
        wanted.targets.retain(|target| !refused.contains(target));
        if wanted.targets.is_empty() {
            continue;
        }
        let before = find(connection, &wanted.key)?;
        let mut places = before.clone();
        let taken = places.take(&taker, &wanted);
        if places != before {
            store(connection, &wanted.key, &places)?;
        }
        for (target, taken) in wanted.targets.into_iter().zip(taken) {
            let full_until = match taken.outcome {
                PlaceOutcome::New => {
                    new.push((wanted.key.clone(), target.clone()));
                    None
                }
                PlaceOutcome::Renewed => None,
                PlaceOutcome::Full { until } => {
                    refused.insert(target.clone());
                    Some(until)
                }
            };
            uses.push(BudgetUse { target, key: wanted.key.clone(), used: taken.used, full_until });
        }
    }
    for (budget, target) in new.iter().filter(|(_, target)| refused.contains(target)) {
        give_back(connection, budget, target, attempt, holder)?;
    }
    Ok(uses)
}

/// Gives back the place that this owner took for `target`.
pub(super) fn give_back(
    connection: &Connection,
    budget: &BudgetKey,
    target: &CooldownKey,
    attempt: &ClaimKey,
    holder: &LeaseOwner,
) -> Result<(), JobError> {
    let mut places = find(connection, budget)?;
    if places.give_back(attempt, holder, target) {
        store(connection, budget, &places)?;
    }
    Ok(())
}
