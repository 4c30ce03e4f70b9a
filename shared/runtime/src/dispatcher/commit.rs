//! The end of a turn: its commit is written, and what the run owes is sent.

use heal_engine::event::Commit;
use heal_engine::{Command, Timestamp, decide};

use super::cache::Live;
use super::{DispatchError, Dispatcher, TurnOutcome};
use crate::message;
use crate::port::{Admitted, BackendError, Room, RunHead, Subject};

impl Dispatcher {
    /// Writes the next commit of a run, which takes `room` with it if that is given.
    pub(super) async fn write(
        &self,
        live: &Live,
        commit: &Commit,
        head: &RunHead,
        room: Option<Room>,
    ) -> Result<Admitted, BackendError> {
        let runs = &self.ports.runs;
        match room {
            Some(room) => runs.admit(commit, head, &room).await,
            None => runs.append(commit, head, live.state.concurrency_key.as_deref()).await.map(Admitted::Written),
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
    /// Not of a command that was issued again and came late meanwhile (`is_overtaken`): sending the newer one once more would fill a full queue.
    pub(super) async fn settle_again(
        &self,
        live: &Live,
        is_overtaken: bool,
        now: Timestamp,
    ) -> Result<TurnOutcome, DispatchError> {
        let owed = if is_overtaken { Vec::new() } else { decide::decide(&live.plan, &live.state, now) };
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
