//! Claims (the right to perform one attempt), cooldowns (the time in which a target is not touched again) and the places in budgets.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::message::AttemptResult;
use serde_json::Value;

use super::{BudgetKey, BudgetRequest, BudgetUse, Places, Result};

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
    /// The targets whose cooldowns are to be reserved.
    pub cooldowns: Vec<CooldownRequest>,
    /// The places to take in budgets, for the same targets or others.
    pub budgets: Vec<BudgetRequest>,
    /// What is about to be done, stored in the same transaction where the store can, as [`ClaimStore::intend`] stores it.
    pub intent: Option<Value>,
    /// An earlier attempt of the same step ([`ClaimKey::attempt`]) that is proven not to have acted: the targets that it reserved are not
    /// cooling, and become this attempt's.
    pub takes_over: Option<String>,
    /// How much of this is to be done.
    pub stage: Stage,
}

/// How much of a [`ClaimRequest`] is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stage {
    /// Take or extend the claim, and reserve.
    #[default]
    Full,
    /// Take the claim, and reserve nothing: cooldowns and budgets are those of a later request of the same holder. A store that cannot write
    /// all rows in one transaction notes them in the claim, so that a release frees them even if the worker died in between. A store may keep
    /// the claim in memory until [`ClaimStore::secure`] or any other call about it. Then two processes may announce one attempt, and that call
    /// gives the claim to one of them: whoever has announced has done nothing.
    Announce,
    /// Reserve what the same holder announced. The caller knows that its lease has not ended, and the store may rely on it.
    Reserve,
}

impl ClaimRequest {
    /// A request for the claim alone.
    pub const fn new(key: ClaimKey, holder: LeaseOwner, now: Timestamp, lease_until: Timestamp) -> Self {
        Self {
            key,
            holder,
            now,
            lease_until,
            cooldowns: Vec::new(),
            budgets: Vec::new(),
            intent: None,
            takes_over: None,
            stage: Stage::Full,
        }
    }
}

/// The result of [`ClaimStore::reserve`].
#[derive(Debug, Clone, PartialEq)]
pub enum Reservation {
    /// The claim belongs to the requesting holder.
    Held {
        /// An earlier holder's lease expired: its effect may have happened.
        recovered: bool,
        /// The targets in their cooldown, each with its end.
        cooling: Vec<(CooldownKey, Timestamp)>,
        /// The budgets that were asked, by counter in the order of the requests, and in each by target. Only targets that are neither in
        /// their cooldown nor without a place in a budget are reserved.
        budgets: Vec<BudgetUse>,
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

/// The result of [`ClaimStore::peek`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peeked {
    /// Of each target; `None` if it has no reservation.
    pub cooldowns: Vec<Option<Cooling>>,
    /// Of each budget.
    pub budgets: Vec<Places>,
}

/// A reservation of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cooling {
    /// When the target was reserved.
    pub since: Timestamp,
    /// When its cooldown ends; it may have ended.
    pub until: Timestamp,
    /// The attempt that reserved it, as [`ClaimKey::attempt`]; `None` if a later reservation was released since.
    pub by: Option<String>,
}

/// Stores claims and cooldowns. A store compares times itself, and does not rely on the backend's expiry of rows.
#[async_trait]
pub trait ClaimStore: Send + Sync + 'static {
    /// Time of each target's last reservation that was not released; `None` if there was none.
    /// A reservation by `attempt` itself does not count: after a lost worker, its own reservation must not block the attempt.
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>>;

    /// The last reservation of each target that was not released, and the places that are taken in each budget, in the order of the keys. It
    /// reserves nothing.
    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked>;

    /// Takes the claim and reserves its targets in one transaction: either the answer is `Held` and both are stored, or neither is.
    ///
    /// A target that an earlier holder of the same attempt reserved counts as reserved by the attempt, not as cooling.
    /// The same request by the same holder has the same answer. The holder of a live claim may call again with further targets: it keeps
    /// the claim, the lease is extended as requested, and the targets are reserved.
    ///
    /// A target is reserved if its cooldown has ended and each of its budgets has a place. Cooldowns are asked first, then budget by budget;
    /// a target that one refuses is not asked for in the next, and gives back what it has. An attempt has one place per target and budget, so
    /// the same attempt again counts once.
    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation>;

    /// Makes sure, before an effect, that an announced claim outlives this process. A store whose [`Stage::Announce`] is durable has nothing to do.
    /// `Lost`: the lease ended, or another holder has the claim.
    async fn secure(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp) -> Result<Finish> {
        let (_, _, _) = (key, holder, now);
        Ok(Finish::Stored)
    }

    /// Stores in the claim what its holder is about to do, in place of what was stored before: a later holder whose claim is `recovered`
    /// compares it with the target. The same intent again, by the same holder, answers `Stored`.
    async fn intend(&self, key: &ClaimKey, holder: &LeaseOwner, now: Timestamp, intent: &Value) -> Result<Finish>;

    /// The claim's last stored intent, by whichever holder; `None` if there is none.
    async fn intent(&self, key: &ClaimKey) -> Result<Option<Value>>;

    /// Stores the result, and releases the targets in `proven_not_applied`, whose effect is proven not to have happened: their cooldowns, and
    /// the places that this holder took for them. Places among the effects in flight are free for every target. A released target has its earlier last touch again. The same result again, by the same holder, answers `Stored`.
    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish>;

    /// Releases a claim without a result, and all cooldowns and places that its holder reserved: no effect has happened. Another holder's claim stays unchanged.
    /// If the claim was `recovered`, the earlier holder's effect may have happened: the targets that it reserved stay reserved, the intent
    /// stays, and the next holder's claim is `recovered` too.
    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()>;
}
