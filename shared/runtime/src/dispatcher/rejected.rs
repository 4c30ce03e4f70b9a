//! The record of a rejected message: it has no plan and no state, but a follow-up that a person can report as done.

use heal_engine::event::{Commit, Event, RunOutcome, RunStatus};
use heal_engine::incident;
use heal_engine::report::follow_up;
use heal_engine::time::seconds_to_ms;
use heal_engine::turn::Input;
use heal_engine::{RunId, chain, limit, message};

use super::{CONFLICTS, DispatchError, Dispatcher, IntakeOutcome, Rejection, TurnOutcome};
use crate::port::{Appended, Created, NewRun, RunHead, Subject};

impl Dispatcher {
    pub(super) async fn reject(
        &self,
        message: &str,
        message_id: &str,
        rejection: &Rejection,
    ) -> Result<IntakeOutcome, DispatchError> {
        let mut incident_id = incident::peek_incident_id(message).unwrap_or_else(|| "unknown".to_owned());
        heal_engine::secret::hide_in(&mut incident_id);
        let kept = self.library.secrets().hide_message(message);
        let understood = matches!(rejection, Rejection::Route(_));
        self.record_rejection(format!("rejected:{message_id}"), incident_id, rejection.to_string(), kept, understood)
            .await
    }

    /// Records a failed run that keeps the message. Recorded once per `dedupe_key`.
    pub(super) async fn record_rejection(
        &self,
        dedupe_key: String,
        incident_id: String,
        mut reason: String,
        mut kept: String,
        understood: bool,
    ) -> Result<IntakeOutcome, DispatchError> {
        let now = self.ports.clock.now();
        let run_id = RunId::derive(&dedupe_key, now, self.ports.entropy.next()?);
        message::cut(&mut kept, limit::REJECTED_BYTES);
        message::cut(&mut reason, limit::TEXT_BYTES);
        let event = Event::IncidentRejected { incident_id: incident_id.clone(), reason: reason.clone(), message: kept };
        let head = RunHead {
            run_id: run_id.clone(),
            incident_id,
            playbook: None,
            status: RunStatus::Failed,
            outcome: Some(RunOutcome::Failed),
            started_at: now,
            updated_at: now,
            wake_at: None,
            last_seq: 1,
            reason: Some(reason.clone()),
            subject: Subject::default(),
            // What was rejected is for a person.
            open_follow_ups: 1,
            held_by: None,
        };
        let (cause_id, events) = (dedupe_key.clone(), vec![event]);
        let commit = Commit { run_id, first_seq: 1, cause_id, at: now, events, chain: None }.chained(None);
        let dedupe_until = now.plus_ms(seconds_to_ms(limit::DEDUPE_SECONDS));
        let run = NewRun { commit, head, dedupe_key, dedupe_until, concurrency_key: None, repeat: None, room: None };
        let announcement = self.announce_record(&run.commit).await;
        let run_id = match self.ports.runs.create(&run).await? {
            // It is not counted and takes no room, so neither refuses it.
            Created::Created | Created::Repeated { .. } | Created::Full => run.commit.run_id,
            Created::Duplicate { run_id } | Created::Busy { run_id } | Created::Escalated { run_id } => run_id,
        };
        self.announced(announcement).await;
        tracing::warn!(run_id = %run_id, reason, "incident rejected");
        Ok(IntakeOutcome::Rejected { run_id, reason, understood })
    }

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
                return Ok(TurnOutcome { status: head.status, events: 0, taken: 0, commands: 0, refused: None });
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
            let announcement = self.announce_record(&commit).await;
            if self.ports.runs.append(&commit, &head, None).await? == Appended::Appended {
                self.announced(announcement).await;
                return Ok(TurnOutcome { status: head.status, events: 1, taken: 1, commands: 0, refused: None });
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
        | Input::Admit
        | Input::Wake
        | Input::Joined { .. }
        | Input::Approval(_)
        | Input::CancelRequested { .. }
        | Input::Resolved(_) => None,
    }
}
