//! Claims (the right to perform one attempt) and cooldowns (the time in which a target is not touched again).

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::message::AttemptResult;
use serde_json::Value;

use super::Result;

/// Names one attempt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimKey {
    /// The action's name.
    pub action: String,
    /// `run/step[item]/attempt`.
    pub attempt: String,
}

/// Names one target of one action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CooldownKey {
    /// The action's name.
    pub action: String,
    /// The target's id, such as a ticket id.
    pub target: String,
}

/// Names the owner of a claim's lease; unique per delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeaseOwner(pub String);

/// A target to reserve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CooldownRequest {
    /// The target.
    pub key: CooldownKey,
    /// How long the target is not touched again, in milliseconds.
    pub cooldown_ms: u64,
}

/// The input of [`ClaimStore::reserve`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    /// The attempt.
    pub key: ClaimKey,
    /// Who wants the claim.
    pub holder: LeaseOwner,
    /// The time of the request.
    pub now: Timestamp,
    /// When the lease ends: an expired claim cannot store a result.
    pub lease_until: Timestamp,
    /// The targets to reserve.
    pub cooldowns: Vec<CooldownRequest>,
}

/// The result of [`ClaimStore::reserve`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reservation {
    /// The claim belongs to the requesting holder.
    Held {
        /// An earlier holder's lease expired: its effect may have happened.
        recovered: bool,
        /// The targets in their cooldown, each with its end. Only the others are reserved.
        cooling: Vec<(CooldownKey, Timestamp)>,
    },
    /// Another holder has the claim.
    Busy {
        /// The end of the other holder's lease.
        until: Timestamp,
    },
    /// The attempt has ended with this result.
    Finished(Box<AttemptResult>),
}

/// The result of [`ClaimStore::finish`] and of [`ClaimStore::intend`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The result is stored.
    Stored,
    /// The lease expired, or another holder took the claim over: nothing was stored.
    Lost,
}

/// Stores claims and cooldowns. A store compares times itself, and does not rely on the backend's expiry of rows.
#[async_trait]
pub trait ClaimStore: Send + Sync + 'static {
    /// Time of each target's last reservation that was not released; `None` if there was none.
    /// A reservation by `attempt` itself does not count: after a lost worker, its own reservation must not block the attempt.
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>>;

    /// Takes the claim and reserves its targets in one transaction: either the answer is `Held` and both are stored, or neither is.
    ///
    /// A target that an earlier holder of the same attempt reserved counts as reserved by the attempt, not as cooling.
    /// The same request by the same holder has the same answer. The holder of a live claim may call again with further targets: it keeps
    /// the claim, the lease is extended as requested, and the targets are reserved.
    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation>;

    /// Stores in the claim what its holder is about to do, in place of what was stored before: a later holder whose claim is `recovered`
    /// compares it with the target. The same intent again, by the same holder, answers `Stored`.
    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish>;

    /// The claim's last stored intent, by whichever holder; `None` if there is none.
    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>>;

    /// Stores the result, and releases the cooldowns in `proven_not_applied`: the targets whose effect is proven not to have happened.
    /// A released target has its earlier last touch again. The same result again, by the same holder, answers `Stored`.
    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish>;

    /// Releases a claim without a result, and all its cooldowns: no effect has happened. Another holder's claim stays unchanged.
    /// If the claim was `recovered`, the earlier holder's effect may have happened: the targets that it reserved stay reserved, the intent
    /// stays, and the next holder's claim is `recovered` too.
    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()>;
}
