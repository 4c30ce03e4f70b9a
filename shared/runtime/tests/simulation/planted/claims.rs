//! A claim store with a bug.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use heal_runtime::port::{
    BudgetKey, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Finish, LeaseOwner, Peeked, Reservation, Result, Stage,
};
use heal_runtime::{AttemptResult, Timestamp};
use serde_json::Value;

use super::Bug;

/// When the store's expiry gets round to a row, in milliseconds after its reservation.
const EXPIRY_MS: u64 = 48 * 3_600_000;
/// The length of a lease, in milliseconds.
const LEASE_MS: u64 = 60_000;

pub struct Planted {
    bug: Bug,
    inner: Arc<dyn ClaimStore>,
    /// The rows of cooldowns: whose they are, and when they end.
    rows: Mutex<BTreeMap<CooldownKey, (String, Timestamp)>>,
}

impl Planted {
    pub fn new(bug: Bug, inner: Arc<dyn ClaimStore>) -> Self {
        Self { bug, inner, rows: Mutex::default() }
    }

    /// The rows that are there still, as if each were a cooldown.
    fn rows_left(&self, request: &ClaimRequest) -> Vec<(CooldownKey, Timestamp)> {
        let rows = self.rows.lock().unwrap();
        let left = |wanted: &CooldownKey| {
            let (by, until) = rows.get(wanted)?;
            let is_there = request.now < until.plus_ms(EXPIRY_MS) && *by != request.key.attempt;
            is_there.then(|| (wanted.clone(), *until))
        };
        request.cooldowns.iter().filter_map(|wanted| left(&wanted.key)).collect()
    }
}

#[async_trait]
impl ClaimStore for Planted {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        self.inner.last_touched(keys, attempt).await
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        self.inner.peek(cooldowns, budgets).await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        let mut request = request.clone();
        if self.bug == Bug::BudgetIgnored {
            request.budgets.clear();
        }
        if self.bug == Bug::CooldownByExpiry && request.stage != Stage::Announce {
            let left = self.rows_left(&request);
            if !left.is_empty() {
                let mut rest = request.clone();
                rest.cooldowns.clear();
                rest.budgets.clear();
                return Ok(match self.inner.reserve(&rest).await? {
                    Reservation::Held { recovered, .. } => {
                        Reservation::Held { recovered, cooling: left, budgets: vec![] }
                    }
                    other => other,
                });
            }
        }
        let nothing = Reservation::Held { recovered: false, cooling: vec![], budgets: vec![] };
        Ok(match (self.bug, self.inner.reserve(&request).await?) {
            (Bug::NoClaim, Reservation::Busy { .. } | Reservation::Finished(_)) => nothing,
            (Bug::LeaseNotChecked, Reservation::Busy { until }) => {
                let (now, lease_until) = (until, until.plus_ms(LEASE_MS));
                self.inner.reserve(&ClaimRequest { now, lease_until, ..request }).await?
            }
            (Bug::RecoveryForgotten, Reservation::Held { cooling, budgets, .. }) => {
                Reservation::Held { recovered: false, cooling, budgets }
            }
            (Bug::CooldownByExpiry, held @ Reservation::Held { .. }) => {
                let mut rows = self.rows.lock().unwrap();
                for wanted in request.cooldowns.iter().filter(|_| request.stage != Stage::Announce) {
                    let until = request.now.plus_ms(wanted.cooldown_ms);
                    rows.insert(wanted.key.clone(), (request.key.attempt.clone(), until));
                }
                held
            }
            (_, other) => other,
        })
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        let finish = self.inner.intend(key, holder, now, intent).await?;
        Ok(if self.bug == Bug::NoClaim { Finish::Stored } else { finish })
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        self.inner.intent(key).await
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        let finish = self.inner.finish(key, holder, now, result, proven_not_applied).await?;
        Ok(if self.bug == Bug::NoClaim { Finish::Stored } else { finish })
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        self.inner.release(key, holder).await
    }
}
