//! Claims, and the cooldowns and places in budgets that they reserve.

mod announced;
mod budget;
mod claim;
mod cooldown;
mod place;

use std::sync::Arc;

use async_trait::async_trait;
use heal_runtime::port::{
    BudgetKey, ClaimEnd, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, Finish, LeaseOwner, Peeked, Reservation,
    Result,
};
use heal_runtime::{AttemptResult, Timestamp, format};
use rusqlite::Connection;
use serde_json::Value;

use crate::error::{JobError, check_size};
use crate::store::{Store, of_one_moment};
pub(crate) use announced::Announced;
use announced::{Announcement, Standing};
pub(crate) use claim::ResultPlace;

#[async_trait]
impl ClaimStore for Store {
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        let (keys, attempt) = (keys.to_vec(), attempt.clone());
        let work = move |connection: &Connection| {
            let last = |key| cooldown::last_touched(connection, key, &attempt);
            of_one_moment(connection, || keys.iter().map(last).collect())
        };
        self.look("claims.last_touched", work).await
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        let (cooldowns, budgets) = (cooldowns.to_vec(), budgets.to_vec());
        let work = move |connection: &Connection| {
            of_one_moment(connection, || {
                let cooldowns = cooldowns.iter().map(|key| cooldown::peek(connection, key));
                let budgets = budgets.iter().map(|key| budget::find(connection, key));
                Ok(Peeked {
                    cooldowns: cooldowns.collect::<std::result::Result<_, _>>()?,
                    budgets: budgets.collect::<std::result::Result<_, _>>()?,
                })
            })
        };
        self.look("claims.peek", work).await
    }

    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation> {
        if let Some(intent) = &request.intent {
            check_size("claims.reserve", "intent", &intent.to_string())?;
        }
        let announcement = match self.announced().request(request) {
            Standing::Busy(until) => return Ok(Reservation::Busy { until }),
            Standing::Renewed => return Ok(HELD),
            Standing::Stored(announcement) => announcement,
            Standing::Announces => {
                if !self.is_claimed(&request.key).await? {
                    return Ok(HELD);
                }
                self.announced().withdraw(&request.key, &request.holder);
                None
            }
        };
        let (wanted, first) = (request.clone(), announcement.clone());
        let work = move |connection: &Connection| {
            announced::write(connection, &wanted.key, first.as_ref())?;
            claim::reserve(connection, &wanted)
        };
        let reservation = self.write("claims.reserve", work).await?;
        self.is_written(&request.key, announcement.as_ref());
        Ok(reservation)
    }

    async fn secure(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp) -> Result<Finish> {
        let Some(announcement) = self.announced().of(key, holder) else { return Ok(Finish::Stored) };
        let (wanted, owner, first) = (key.clone(), holder.clone(), announcement.clone());
        let work = move |connection: &Connection| {
            announced::write(connection, &wanted, Some(&first))?;
            claim::is_live(connection, &wanted, &owner, now)
        };
        let is_live = self.write("claims.secure", work).await?;
        self.is_written(key, Some(&announcement));
        Ok(if is_live { Finish::Stored } else { Finish::Lost })
    }

    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish> {
        let operation = "claims.intend";
        let intent = intent.to_string();
        check_size(operation, "intent", &intent)?;
        let announcement = self.announced().of(key, holder);
        let (wanted, holder, first) = (key.clone(), holder.clone(), announcement.clone());
        let work = move |connection: &Connection| {
            announced::write(connection, &wanted, first.as_ref())?;
            claim::intend(connection, &wanted, &holder, now, &intent)
        };
        let finish = self.write(operation, work).await?;
        self.is_written(key, announcement.as_ref());
        Ok(finish)
    }

    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>> {
        let key = key.clone();
        self.look("claims.intent", move |connection| claim::intent(connection, &key)).await
    }

    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish> {
        let end = ClaimEnd {
            key: key.clone(),
            holder: holder.clone(),
            now,
            result: result.clone(),
            proven_not_applied: proven_not_applied.to_vec(),
        };
        let end = self.prepare_end("claims.finish", end)?;
        let writing = end.clone();
        let work = move |connection: &Connection| writing.write(connection, ResultPlace::Claim);
        let finish = self.write("claims.finish", work).await?;
        self.ended(&end);
        Ok(finish)
    }

    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()> {
        if self.announced().withdraw(key, holder) {
            return Ok(());
        }
        let (key, holder) = (key.clone(), holder.clone());
        self.write("claims.release", move |connection| claim::release(connection, &key, &holder)).await
    }
}

/// The answer to an announcement of a free claim.
const HELD: Reservation = Reservation::Held { recovered: false, cooling: Vec::new(), budgets: Vec::new() };

/// A claim's end, ready to write.
#[derive(Debug, Clone)]
pub(crate) struct PreparedEnd {
    end: Arc<ClaimEnd>,
    /// The result as it is stored.
    result: Arc<str>,
    announcement: Option<Announcement>,
}

impl PreparedEnd {
    /// Whether [`PreparedEnd::write`] would store the result now.
    pub(crate) fn can_be_written(&self, connection: &Connection) -> std::result::Result<bool, JobError> {
        let ClaimEnd { key, holder, now, .. } = &*self.end;
        match &self.announcement {
            Some(announcement) if !claim::exists(connection, key)? => Ok(announcement.is_live(*now)),
            Some(_) | None => claim::can_finish(connection, key, holder, *now, &self.result),
        }
    }

    pub(crate) fn write(
        &self,
        connection: &Connection,
        stored_in: ResultPlace,
    ) -> std::result::Result<Finish, JobError> {
        let ClaimEnd { key, holder, now, proven_not_applied, .. } = &*self.end;
        announced::write(connection, key, self.announcement.as_ref())?;
        claim::finish(connection, key, holder, *now, (&self.result, stored_in), proven_not_applied)
    }
}

impl Store {
    /// # Errors
    /// The result is too large.
    pub(crate) fn prepare_end(&self, operation: &'static str, end: ClaimEnd) -> Result<PreparedEnd> {
        let result = format::encode(&end.result);
        check_size(operation, "result", &result)?;
        let announcement = self.announced().of(&end.key, &end.holder);
        Ok(PreparedEnd { end: Arc::new(end), result: result.into(), announcement })
    }

    /// The end is committed.
    pub(crate) fn ended(&self, end: &PreparedEnd) {
        self.is_written(&end.end.key, end.announcement.as_ref());
    }

    fn is_written(&self, key: &ClaimKey, announcement: Option<&Announcement>) {
        if let Some(announcement) = announcement {
            self.announced().forget(key, announcement);
        }
    }

    async fn is_claimed(&self, key: &ClaimKey) -> Result<bool> {
        let key = key.clone();
        let work = move |connection: &Connection| of_one_moment(connection, || claim::exists(connection, &key));
        self.look("claims.reserve", work).await
    }
}
