//! The right to perform an attempt, and the time in which a target is left alone.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::message::AttemptResult;

use super::Result;

/// One attempt: `action` and `run/step[item]/attempt`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClaimKey {
    pub action: String,
    pub attempt: String,
}

/// One target of one action.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CooldownKey {
    pub action: String,
    pub target: String,
}

/// Names one worker's holding of one claim; unique per delivery.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LeaseOwner(pub String);

/// A target that is to be touched, and left alone by others for a while afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CooldownRequest {
    pub key: CooldownKey,
    pub cooldown_ms: u64,
}

/// What [`ClaimStore::reserve`] is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRequest {
    pub key: ClaimKey,
    pub holder: LeaseOwner,
    pub now: Timestamp,
    /// The claim expires at this moment: an expired claim cannot commit.
    pub lease_until: Timestamp,
    pub cooldowns: Vec<CooldownRequest>,
}

/// How [`ClaimStore::reserve`] went.
#[derive(Debug, Clone, PartialEq)]
pub enum Reservation {
    /// The claim is the holder's.
    Held {
        /// An earlier holder's lease ran out: it may have acted.
        recovered: bool,
        /// The targets that are cooling down, each with the moment at which it may be touched. Only the others are reserved.
        cooling: Vec<(CooldownKey, Timestamp)>,
    },
    /// Another holder's lease is live until then.
    Busy { until: Timestamp },
    /// It has been performed: this is its result.
    Finished(Box<AttemptResult>),
}

/// How [`ClaimStore::finish`] went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    Stored,
    /// The lease ran out, or another holder took the claim over: nothing was stored.
    Lost,
}

/// Stores claims and cooldowns. It compares moments itself; expiry by a backend's own rubbish collection is never relied on.
#[async_trait]
pub trait ClaimStore: Send + Sync + 'static {
    /// When each target was last reserved by an attempt that kept its reservation; none where never.
    /// A reservation of `attempt` itself does not count: after a lost worker the attempt must not be held back by its own trace.
    async fn last_touched(&self, keys: &[CooldownKey], attempt: &ClaimKey) -> Result<Vec<Option<Timestamp>>>;

    /// Takes the claim and reserves its targets, atomically: either it answers `Held` and both are stored, or neither is.
    ///
    /// A target that the same attempt had reserved before (its earlier holder died) counts as reserved by it, not as cooling.
    /// The same request twice (same holder) answers the same. The holder of a live claim may ask again with targets that it did not name
    /// before: the claim stays its own, its lease becomes the one asked for, and the targets are reserved.
    async fn reserve(&self, request: &ClaimRequest) -> Result<Reservation>;

    /// Stores the result, and frees the cooldowns in `proven_not_applied`: those whose effect is proven not to have happened.
    /// A freed target has the last touch that it had before. The same result again, by the same holder, answers `Stored`.
    async fn finish(
        &self,
        key: &ClaimKey,
        holder: &LeaseOwner,
        now: Timestamp,
        result: &AttemptResult,
        proven_not_applied: &[CooldownKey],
    ) -> Result<Finish>;

    /// Lets go of a claim without a result, and frees all its cooldowns: nothing has happened. Another holder's claim is left alone.
    /// Where the claim was `recovered`, its earlier holder may still have acted: what that one reserved stays reserved, and the next
    /// holder is told `recovered` again.
    async fn release(&self, key: &ClaimKey, holder: &LeaseOwner) -> Result<()>;
}
