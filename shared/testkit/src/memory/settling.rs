//! Settlements in memory: all of one, or nothing.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use heal_runtime::port::{
    Admitted, Append, Appended, AttemptSettlement, ClaimEnd, Created, Finish, NewRun, Result, SettleOutcome,
    Settlement, Settles, Written,
};

use super::{Claims, Faults, Queues, Runs};

/// The [`Settlement`] of a home where runs, claims and queues lie together. A fault comes before all of it, or after.
#[derive(Clone)]
pub struct Settling {
    /// Where commits are written.
    pub runs: Arc<Runs>,
    /// Where messages are.
    pub queues: Arc<Queues>,
    /// Where claims end.
    pub claims: Arc<Claims>,
    /// What goes wrong: `settlement.create`, `settlement.append` and `settlement.settle`.
    pub faults: Faults,
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settling").finish_non_exhaustive()
    }
}

#[async_trait]
impl Settlement for Settling {
    async fn create(&self, run: &NewRun, settles: Settles) -> Result<Written<Created>> {
        let outcome = self
            .faults
            .around("settlement.create", || {
                let created = self.runs.create_now(run);
                if created == Created::Created {
                    self.queues.settle_now(settles);
                }
                created
            })
            .await?;
        Ok(Written { outcome, sent: Ok(()) })
    }

    async fn append(&self, append: Append<'_>, settles: Settles) -> Result<Written<Admitted>> {
        match AttemptSettlement::append(self, append, None, settles).await? {
            SettleOutcome::Written(written) => Ok(written),
            SettleOutcome::Lost => Ok(Written { outcome: Admitted::Written(Appended::Conflict), sent: Ok(()) }),
        }
    }
}

#[async_trait]
impl AttemptSettlement for Settling {
    async fn append(&self, append: Append<'_>, claim: Option<&ClaimEnd>, settles: Settles) -> Result<SettleOutcome> {
        self.faults
            .around("settlement.append", || {
                if claim.is_some_and(|claim| !self.claims.can_finish(claim)) {
                    return SettleOutcome::Lost;
                }
                let outcome = self.runs.append_now(append);
                if outcome == Admitted::Written(Appended::Appended) {
                    claim.map(|claim| self.claims.finish_now(claim));
                    self.queues.settle_now(settles);
                }
                SettleOutcome::Written(Written { outcome, sent: Ok(()) })
            })
            .await
    }

    async fn settle(&self, claim: Option<&ClaimEnd>, settles: Settles) -> Result<Finish> {
        self.faults
            .around("settlement.settle", || {
                let finish = claim.map_or(Finish::Stored, |claim| self.claims.finish_now(claim));
                if finish == Finish::Stored {
                    self.queues.settle_now(settles);
                }
                finish
            })
            .await
    }
}
