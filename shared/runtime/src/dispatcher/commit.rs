//! The end of a turn: its commit is written, with what the run owes and what the turn has in hand.

use std::sync::Arc;

use heal_engine::event::{Commit, Event};
use heal_engine::turn::Input;
use heal_engine::{Command, RunId, Timestamp, decide};

use super::cache::Live;
use super::{DispatchError, Dispatcher, TurnOutcome};
use crate::message::{self, Inbound};
use crate::observe;
use crate::port::{
    Admitted, Append, Appended, AttemptSettlement, ClaimEnd, Message, RunHead, SettleOutcome, Settlement, Settles,
    Subject, Written,
};

/// What a turn has in hand, and its commit settles.
#[derive(Clone, Copy, Default)]
pub(super) struct Hand<'a> {
    /// The receipts of the deliveries that are the turn's inputs.
    pub receipts: &'a [String],
    /// The attempt whose result is the turn's input, if it comes without a queue.
    pub attempt: Option<EndedAttempt<'a>>,
}

/// An attempt of this process.
#[derive(Clone, Copy)]
pub(super) struct EndedAttempt<'a> {
    pub settlement: &'a dyn AttemptSettlement,
    /// `None` for an attempt that only read.
    pub claim: Option<&'a ClaimEnd>,
}

/// A turn that changed something: its state holds the events already.
pub(super) struct Turn<'a> {
    pub cause_id: &'a str,
    pub events: Vec<Event>,
    /// Whether more events are due at once.
    pub more: bool,
    pub now: Timestamp,
    /// Whether the run took room before the turn.
    pub took_room: bool,
}

/// What became of a turn's commit.
type Wrote = Written<Admitted>;

impl Dispatcher {
    /// Settles commits with what belongs to them by `settlement`, which stands for the same runs and queues as the ports; without it, one after
    /// another.
    #[must_use]
    pub fn settling(self, settlement: Arc<dyn Settlement>) -> Self {
        Self { settlement, ..self }
    }

    /// As [`Dispatcher::take`], with what the turn's commit settles.
    pub(super) async fn take_settling(
        &self,
        run_id: &RunId,
        cause_id: &str,
        inputs: &[Input],
        hand: Hand<'_>,
    ) -> Result<TurnOutcome, DispatchError> {
        let (turn, admits_next) = self.take_alone(run_id, cause_id, inputs, hand).await?;
        if admits_next {
            self.admit_next().await;
        }
        Ok(turn)
    }

    /// As [`Dispatcher::receive`]; the turn's commit acknowledges the deliveries that `receipts` name, in a home where it can.
    pub(crate) async fn receive_settling(
        &self,
        run_id: &RunId,
        cause_id: &str,
        messages: Vec<Inbound>,
        receipts: &[String],
    ) -> Result<TurnOutcome, DispatchError> {
        let hand = Hand { receipts, attempt: None };
        self.take_settling(run_id, cause_id, &self.inputs(messages), hand).await
    }

    pub(super) fn inputs(&self, messages: Vec<Inbound>) -> Vec<Input> {
        let groups = &self.ports.guardrails.approvals.groups;
        messages.into_iter().filter_map(|message| message.into_input(groups)).collect()
    }

    /// Ends a turn: its notices are announced, and its commit is written with what the run owes. Returns what became of it, with the number of
    /// commands.
    ///
    /// # Errors
    /// As [`Self::write`]; or the commit is written, and its messages could not be sent.
    pub(super) async fn conclude(
        &self,
        current: &mut Live,
        turn: Turn<'_>,
        hand: Hand<'_>,
    ) -> Result<(Admitted, usize), DispatchError> {
        let Turn { cause_id, events, more, now, took_room } = turn;
        let run_id = current.state.run_id.clone();
        let before = current.state.seq - events.len() as u64;
        let commit =
            Commit { run_id, first_seq: before + 1, cause_id: cause_id.to_owned(), at: now, events, chain: None }
                .chained(current.chain.as_ref());
        let head = head(current, &commit);
        let room = self.room(current).filter(|_| !took_room);
        let announcement = self.announce(&current.plan, &current.state, &commit).await;
        let messages =
            message::commands(&current.state, decide::since(&current.plan, &current.state, now, before), more, now);
        let commands = messages.len();
        let key = current.state.concurrency_key.as_deref();
        let append = Append { commit: &commit, head: &head, concurrency_key: key, room: room.as_ref() };
        let Wrote { outcome, sent } = self.write(append, messages, hand).await?;
        if matches!(outcome, Admitted::Written(Appended::Appended)) {
            self.announced(announcement).await;
            current.chain.clone_from(&commit.chain);
            observe::committed(&*self.observer, &current.plan, &current.state, &commit);
            sent?;
            self.demote_after(current, &commit).await;
        }
        Ok((outcome, commands))
    }

    /// Writes the next commit of a run, with the messages that follow from it and what the turn has in hand.
    ///
    /// # Errors
    /// A store or a queue is unavailable, or the attempt lost its claim: nothing is written then.
    async fn write(&self, append: Append<'_>, messages: Vec<Message>, hand: Hand<'_>) -> Result<Wrote, DispatchError> {
        let settles = Settles { messages, acknowledges: hand.receipts.to_vec() };
        let Some(EndedAttempt { settlement, claim }) = hand.attempt else {
            return Ok(self.settlement.append(append, settles).await?);
        };
        match settlement.append(append, claim, settles).await? {
            SettleOutcome::Written(written) => Ok(written),
            SettleOutcome::Lost => Err(DispatchError::ClaimLost { run_id: append.commit.run_id.clone() }),
        }
    }

    /// Sends the commands that a turn of `events` events owes.
    pub(super) async fn settle(
        &self,
        live: &Live,
        events: usize,
        owed: Vec<Command>,
        more: bool,
        now: Timestamp,
    ) -> Result<TurnOutcome, DispatchError> {
        let messages = message::commands(&live.state, owed, more, now);
        let commands = messages.len();
        if !messages.is_empty() {
            self.ports.sender.send(messages).await?;
        }
        Ok(TurnOutcome { status: live.state.status(), events, taken: 0, commands, refused: None })
    }

    /// Sends everything that the run owes once more, after a turn that changed nothing.
    ///
    /// Nothing without `sends`: a command was issued again and came late meanwhile, or another one was faster to admit the run. Whoever wrote that
    /// sends what is owed, and once more would fill a full queue.
    pub(super) async fn settle_again(
        &self,
        live: &Live,
        sends: bool,
        now: Timestamp,
    ) -> Result<TurnOutcome, DispatchError> {
        let owed = if sends { decide::decide(&live.plan, &live.state, now) } else { Vec::new() };
        self.settle(live, 0, owed, false, now).await
    }
}

/// The index entry after `commit`.
pub(super) fn head(live: &Live, commit: &Commit) -> RunHead {
    let state = &live.state;
    RunHead {
        run_id: state.run_id.clone(),
        incident_id: state.incident_id.clone(),
        playbook: Some(live.plan.playbook.name.clone()),
        status: state.status(),
        outcome: state.outcome(),
        started_at: state.started_at,
        updated_at: commit.at,
        wake_at: state.wake_at(),
        last_seq: state.seq,
        reason: state.end_reason.clone().or_else(|| state.stopping.as_ref().map(|stop| stop.reason.clone())),
        subject: Subject::from_variables(state.variables.incident()),
        open_follow_ups: state.follow_up.open(),
        // A run that stops waits for its attempts alone.
        held_by: state.held.as_ref().filter(|_| state.stopping.is_none()).map(|held| held.holder().to_owned()),
    }
}
