//! Settling: a commit, the messages that follow from it, and the deliveries and the claim that it ends.
//!
//! A home whose rows lie in one database settles all of it in one transaction. Any other home does it [in order](InOrder): what is lost between
//! two steps is delivered or sent again.

use std::sync::Arc;

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_engine::event::Commit;
use heal_engine::message::AttemptResult;

use super::{
    Admitted, Appended, ClaimKey, CooldownKey, Created, Finish, LeaseOwner, Message, NewRun, Result, Room, RunHead,
    RunLog, Sender,
};

/// What is settled beside a commit, or alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settles {
    /// Sent once the rest is stored.
    pub messages: Vec<Message>,
    /// Receipts of the deliveries that are handled with it. A home that cannot acknowledge them here leaves that to whoever received them.
    pub acknowledges: Vec<String>,
}

/// The end of a claim: the arguments of [`ClaimStore::finish`](super::ClaimStore::finish).
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimEnd {
    /// The attempt.
    pub key: ClaimKey,
    /// Who holds the claim.
    pub holder: LeaseOwner,
    /// The time of the end.
    pub now: Timestamp,
    /// What became of the attempt.
    pub result: AttemptResult,
    /// The targets whose effect is proven not to have happened.
    pub proven_not_applied: Vec<CooldownKey>,
}

/// The next commit of a run.
#[derive(Debug, Clone, Copy)]
pub struct Append<'a> {
    /// The commit.
    pub commit: &'a Commit,
    /// The run's entry in the index after it.
    pub head: &'a RunHead,
    /// Freed if the run ends with the commit. Not together with `room`.
    pub concurrency_key: Option<&'a str>,
    /// The room that the run takes with the commit, as in [`RunLog::admit`].
    pub room: Option<&'a Room>,
}

/// What became of a commit, and of the messages that follow from it.
#[derive(Debug)]
pub struct Written<T> {
    /// What became of the commit. If it was refused, nothing was sent.
    pub outcome: T,
    /// Why the messages may not have been sent. The commit stays: they are sent again when its input is delivered again.
    pub sent: Result<()>,
}

/// The result of [`AttemptSettlement::append`].
#[derive(Debug)]
pub enum SettleOutcome {
    /// The claim was lost, and nothing was written.
    Lost,
    /// The claim has its result if the commit is stored; if the commit was refused, nothing was written.
    Written(Written<Admitted>),
}

/// Settles what belongs together.
///
/// # Guarantees
/// A message is sent only if the commit that it follows from is stored, and a delivery is acknowledged only if both are. The same call again is
/// safe.
#[async_trait]
pub trait Settlement: Send + Sync + 'static {
    /// As [`RunLog::create`], with what follows from the run's start.
    async fn create(&self, run: &NewRun, settles: Settles) -> Result<Written<Created>>;

    /// As [`RunLog::append`], or [`RunLog::admit`] if the run takes room, with what follows from the commit.
    async fn append(&self, append: Append<'_>, settles: Settles) -> Result<Written<Admitted>>;
}

/// Settles the end of an attempt, in a home where claims and runs lie in one database: all of it in one transaction.
#[async_trait]
pub trait AttemptSettlement: Send + Sync + 'static {
    /// As [`Settlement::append`], of a commit that takes the attempt's result. An attempt that only read has no claim.
    async fn append(&self, append: Append<'_>, claim: Option<&ClaimEnd>, settles: Settles) -> Result<SettleOutcome>;

    /// Without a commit. `Lost`: the claim was lost, and nothing was written.
    async fn settle(&self, claim: Option<&ClaimEnd>, settles: Settles) -> Result<Finish>;
}

/// Settles one thing after another, over ports that know nothing of each other. It acknowledges nothing.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports have no debug form")]
pub struct InOrder {
    /// Where commits are written.
    pub runs: Arc<dyn RunLog>,
    /// Where messages are sent.
    pub sender: Arc<dyn Sender>,
}

impl InOrder {
    async fn send(&self, messages: Vec<Message>) -> Result<()> {
        if messages.is_empty() { Ok(()) } else { self.sender.send(messages).await }
    }
}

#[async_trait]
impl Settlement for InOrder {
    async fn create(&self, run: &NewRun, settles: Settles) -> Result<Written<Created>> {
        let outcome = self.runs.create(run).await?;
        let sent = if outcome == Created::Created { self.send(settles.messages).await } else { Ok(()) };
        Ok(Written { outcome, sent })
    }

    async fn append(&self, append: Append<'_>, settles: Settles) -> Result<Written<Admitted>> {
        let Append { commit, head, concurrency_key, room } = append;
        let outcome = match room {
            Some(room) => self.runs.admit(commit, head, room).await?,
            None => Admitted::Written(self.runs.append(commit, head, concurrency_key).await?),
        };
        let is_stored = outcome == Admitted::Written(Appended::Appended);
        let sent = if is_stored { self.send(settles.messages).await } else { Ok(()) };
        Ok(Written { outcome, sent })
    }
}
