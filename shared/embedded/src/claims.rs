//! Claims, and the cooldowns and places in budgets that they reserve.

mod budget;
mod claim;
mod cooldown;

use async_trait::async_trait;
use heal_runtime::port::{
    BudgetKey, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Finish, LeaseOwner, Peeked, Reservation, Result,
};
use heal_runtime::{AttemptResult, Timestamp, format};
use serde_json::Value;

use crate::error::check_size;
use crate::store::Store;

#[async_trait]
impl ClaimStore for Store {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        let (keys, attempt) = (keys.to_vec(), attempt.clone());
        let work = move |connection: &rusqlite::Connection| {
            keys.iter().map(|key| cooldown::last_touched(connection, key, &attempt)).collect()
        };
        self.read("claims.last_touched", work).await
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        let (cooldowns, budgets) = (cooldowns.to_vec(), budgets.to_vec());
        let work = move |connection: &rusqlite::Connection| {
            let cooldowns =
                cooldowns.iter().map(|key| cooldown::peek(connection, key)).collect::<std::result::Result<_, _>>()?;
            let budgets =
                budgets.iter().map(|key| budget::find(connection, key)).collect::<std::result::Result<_, _>>()?;
            Ok(Peeked { cooldowns, budgets })
        };
        self.read("claims.peek", work).await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        if let Some(intent) = &request.intent {
            check_size("claims.reserve", "intent", &intent.to_string())?;
        }
        let request = request.clone();
        self.write("claims.reserve", move |connection| claim::reserve(connection, &request)).await
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        let operation = "claims.intend";
        let intent = intent.to_string();
        check_size(operation, "intent", &intent)?;
        let (key, holder) = (key.clone(), holder.clone());
        self.write(operation, move |connection| claim::intend(connection, &key, &holder, now, &intent)).await
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        let key = key.clone();
        self.read("claims.intent", move |connection| claim::intent(connection, &key)).await
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        let operation = "claims.finish";
        let result = format::encode(result);
        check_size(operation, "result", &result)?;
        let (key, holder, proven_not_applied) = (key.clone(), holder.clone(), proven_not_applied.to_vec());
        self.write(operation, move |connection| {
            claim::finish(connection, &key, &holder, now, &result, &proven_not_applied)
        })
        .await
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        let (key, holder) = (key.clone(), holder.clone());
        self.write("claims.release", move |connection| claim::release(connection, &key, &holder)).await
    }
}
