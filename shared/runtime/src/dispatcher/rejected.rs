//! The record of a rejected message: it has no plan and no state, but a follow-up that a person can report as done.

use heal_engine::event::{Commit, Event};
use heal_engine::report::follow_up;
use heal_engine::turn::Input;
use heal_engine::{RunId, chain, limit, message};

use super::{CONFLICTS, DispatchError, Dispatcher, TurnOutcome};
use crate::port::{Appended, RunHead};

impl Dispatcher {
    /// Records the inputs that report the record's follow-up as done. Any other input is for a run, which this record is not.
    ///
    /// # Errors
    /// [`DispatchError::UnknownRun`] if `run_id` is not such a record, or no input is for one.
    pub(super) async fn take_for_rejected(
        &self,
        run_id: &RunId,
        cause_id: &str,
        inputs: &[Input],
    ) -> Result<TurnOutcome, DispatchError> {
        let unknown = || DispatchError::UnknownRun { run_id: run_id.clone() };
        let reported = inputs.iter().find_map(done).ok_or_else(unknown)?;
        for _ in 0..CONFLICTS {
            let commits = self.ports.runs.load(run_id, 0).await?;
            let head = self.ports.runs.head(run_id).await?.ok_or_else(unknown)?;
            let Some(Event::IncidentRejected { reason, .. }) = commits.first().and_then(|commit| commit.events.first())
            else {
                return Err(unknown());
            };
            let follow_ups = follow_up::of_rejection(reason, head.started_at, &commits);
            let Event::FollowUpDone { id, .. } = &reported else { return Err(unknown()) };
            if !follow_ups.contains(id) || follow_ups.done(id).is_some() {
                return Ok(TurnOutcome { status: head.status, events: 0, commands: 0, refused: None });
            }
            let commit = Commit {
                run_id: run_id.clone(),
                first_seq: head.last_seq + 1,
                cause_id: cause_id.to_owned(),
                at: self.ports.clock.now(),
                events: vec![reported.clone()],
                chain: None,
            }
            .chained(chain::last(&commits));
            let head = RunHead { updated_at: commit.at, last_seq: commit.last_seq(), open_follow_ups: 0, ..head };
            if self.ports.runs.append(&commit, &head, None).await? == Appended::Appended {
                return Ok(TurnOutcome { status: head.status, events: 1, commands: 0, refused: None });
            }
        }
        Err(DispatchError::Contended { run_id: run_id.clone() })
    }
}

fn done(input: &Input) -> Option<Event> {
    match input {
        Input::FollowUpDone { id, by, note } => {
            let bounded = |text: &String| {
                let mut text = text.clone();
                message::cut(&mut text, limit::TEXT_BYTES);
                text
            };
            Some(Event::FollowUpDone { id: id.clone(), by: bounded(by), note: note.as_ref().map(bounded) })
        }
        Input::Result(_)
        | Input::Late(_)
        | Input::Held(_)
        | Input::Hold(_)
        | Input::Release { .. }
        | Input::Wake
        | Input::Joined { .. }
        | Input::Approval(_)
        | Input::CancelRequested { .. }
        | Input::Resolved(_) => None,
    }
}
