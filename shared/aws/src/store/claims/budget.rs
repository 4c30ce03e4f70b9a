//! A budget: one row has the places of one counter that are taken. It changes by a write that is conditional on its version.

use std::collections::BTreeSet;

use heal_runtime::Timestamp;
use heal_runtime::port::{
    BackendError, BudgetKey, BudgetRequests, BudgetUse, ClaimKey, CooldownKey, LeaseOwner, PlaceOutcome, Places,
    Result, Taker,
};

use crate::limit::{BUDGET_KEPT_MS, CONTENTION_TRIES};
use crate::store::call::{Written, contended, pause};
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{Store, key};

const READ: &str = "claims.read_budget";

/// A row as it was read.
#[derive(Default)]
struct Stored {
    /// `None` if there is no row.
    version: Option<u64>,
    places: Places,
}

impl Stored {
    async fn read(store: &Store, operation: &'static str, key: &BudgetKey) -> Result<Self> {
        let Some(row) = store.get(operation, &key::budget(key)).await? else { return Ok(Self::default()) };
        let version = Fields::read(operation, &row)?.number("version")?;
        Ok(Self { version: Some(version), places: peeked(&row)? })
    }

    /// Writes `places` in place of what was read. False if another writer came first.
    async fn replace(self, store: &Store, operation: &'static str, key: &BudgetKey, places: &Places) -> Result<bool> {
        let row = key::budget(key);
        let condition = match self.version {
            None => "attribute_not_exists(pk)",
            Some(_) => "version = :version",
        };
        let values = self.version.map_or_else(Item::default, |version| Item::default().number(":version", version));
        let next = self.version.unwrap_or_default() + 1;
        let text = serde_json::to_string(places);
        let text = text.map_err(|error| BackendError::corrupt(operation, format!("row {}: {error}", row.pk)))?;
        let until = places.until().unwrap_or(Timestamp(0));
        let fresh = Item::at(&row).text("places", text).number("version", next).expires(until, BUDGET_KEPT_MS);
        let written = store.put(operation, fresh, condition, values).await?;
        Ok(matches!(written, Written::Done(_)))
    }
}

/// The places in a row.
pub(super) fn peeked(row: &Attributes) -> Result<Places> {
    let fields = Fields::read(READ, row)?;
    serde_json::from_str(fields.text("places")?).map_err(|error| fields.corrupt("places", error))
}

/// Takes places budget by budget. A target without one is added to `refused`, and gives back the places that it has.
pub(super) async fn take_all(
    store: &Store,
    operation: &'static str,
    budgets: Vec<BudgetRequests>,
    taker: &Taker<'_>,
    refused: &mut BTreeSet<CooldownKey>,
) -> Result<Vec<BudgetUse>> {
    let (mut uses, mut new) = (Vec::new(), Vec::new());
    for mut wanted in budgets {
        wanted.targets.retain(|target| !refused.contains(target));
        if wanted.targets.is_empty() {
            continue;
        }
        let taken = take(store, operation, &wanted, taker).await?;
        for (target, (used, outcome)) in wanted.targets.into_iter().zip(taken) {
            let full_until = match outcome {
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
            uses.push(BudgetUse { target, key: wanted.key.clone(), used, full_until });
        }
    }
    new.retain(|(_, target)| refused.contains(target));
    give_back_all(store, operation, new, taker.attempt, taker.holder).await?;
    Ok(uses)
}

/// Takes places for all targets of one counter in one write.
async fn take(
    store: &Store,
    operation: &'static str,
    wanted: &BudgetRequests,
    taker: &Taker<'_>,
) -> Result<Vec<(u32, PlaceOutcome)>> {
    for tried in 0..CONTENTION_TRIES {
        let stored = Stored::read(store, operation, &wanted.key).await?;
        let mut places = stored.places.clone();
        let taken = places.take(taker, wanted);
        // Nothing changes if every place is taken, or if the request is sent again.
        let is_written = places == stored.places || stored.replace(store, operation, &wanted.key, &places).await?;
        if is_written {
            return Ok(taken.into_iter().map(|taken| (taken.used, taken.outcome)).collect());
        }
        pause(tried).await;
    }
    Err(contended(operation))
}

/// Gives back the places that this owner took, in one write for each counter.
pub(super) async fn give_back_all(
    store: &Store,
    operation: &'static str,
    mut given_back: Vec<(BudgetKey, CooldownKey)>,
    attempt: &ClaimKey,
    holder: &LeaseOwner,
) -> Result<()> {
    given_back.sort();
    for of_one in given_back.chunk_by(|a, b| a.0 == b.0) {
        if let Some((key, _)) = of_one.first() {
            give_back(store, operation, key, of_one, attempt, holder).await?;
        }
    }
    Ok(())
}

async fn give_back(
    store: &Store,
    operation: &'static str,
    key: &BudgetKey,
    targets: &[(BudgetKey, CooldownKey)],
    attempt: &ClaimKey,
    holder: &LeaseOwner,
) -> Result<()> {
    for tried in 0..CONTENTION_TRIES {
        let stored = Stored::read(store, operation, key).await?;
        let mut places = stored.places.clone();
        for (_, target) in targets {
            places.give_back(attempt, holder, target);
        }
        if places == stored.places || stored.replace(store, operation, key, &places).await? {
            return Ok(());
        }
        pause(tried).await;
    }
    Err(contended(operation))
}
