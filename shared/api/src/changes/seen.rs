//! What a run's log says about a change: whether it fits the run, and whether it is made.

use heal_engine::RunId;
use heal_engine::event::{Commit, Event, RunStatus};
use heal_runtime::dispatcher::DispatchError;
use heal_runtime::message::Inbound;
use heal_runtime::port::RunReader;

/// Where the run stands.
///
/// # Errors
/// The run does not exist or cannot be read.
pub async fn status(runs: &dyn RunReader, run_id: &RunId) -> Result<RunStatus, DispatchError> {
    let head = runs.head(run_id).await?;
    head.map(|head| head.status).ok_or_else(|| DispatchError::UnknownRun { run_id: run_id.clone() })
}

/// Whether a run that has ended takes the change.
pub const fn may_follow_the_end(input: &Inbound) -> bool {
    match input {
        Inbound::FollowUpDone { .. } => true,
        Inbound::Approve { .. }
        | Inbound::ApprovalAnswer { .. }
        | Inbound::Cancel { .. }
        | Inbound::Result(_)
        | Inbound::Late(_)
        | Inbound::Held(_)
        | Inbound::Hold { .. }
        | Inbound::Release { .. }
        | Inbound::Halt(_)
        | Inbound::Resume { .. }
        | Inbound::Wake { .. } => false,
    }
}

/// Whether a run in this state accepts the change. The dispatcher would drop it without a trace otherwise.
pub fn can_follow(input: &Inbound, status: RunStatus, commits: &[Commit]) -> bool {
    match input {
        Inbound::Approve { .. } | Inbound::ApprovalAnswer { .. } => status == RunStatus::AwaitingApproval,
        Inbound::Cancel { .. } | Inbound::FollowUpDone { .. } => !contains(input, commits),
        Inbound::Hold { .. } => !is_held_by_person(commits),
        Inbound::Release { .. } => is_held_by_person(commits),
        Inbound::Result(_)
        | Inbound::Late(_)
        | Inbound::Held(_)
        | Inbound::Halt(_)
        | Inbound::Resume { .. }
        | Inbound::Wake { .. } => true,
    }
}

/// Whether these commits have the change.
pub fn contains(input: &Inbound, commits: &[Commit]) -> bool {
    let is_change = |event: &Event| match input {
        Inbound::Approve { .. } => matches!(event, Event::Approved { .. }),
        Inbound::ApprovalAnswer { step: None, rejection: None, .. } => matches!(event, Event::Approved { .. }),
        Inbound::ApprovalAnswer { step: None, rejection: Some(_), .. } => matches!(event, Event::Rejected { .. }),
        Inbound::ApprovalAnswer { digest, rejection: None, .. } => {
            matches!(event, Event::StepApproved { digest: answered, .. } if answered == digest)
        }
        Inbound::ApprovalAnswer { digest, rejection: Some(_), .. } => {
            matches!(event, Event::StepRejected { digest: answered, .. } if answered == digest)
        }
        Inbound::Cancel { .. } => matches!(event, Event::CancelRequested { .. }),
        Inbound::FollowUpDone { id, .. } => matches!(event, Event::FollowUpDone { id: done, .. } if done == id),
        Inbound::Hold { .. } => matches!(event, Event::RunHeld { halt: None, .. }),
        Inbound::Release { .. } => matches!(event, Event::RunReleased { .. }),
        Inbound::Result(_)
        | Inbound::Late(_)
        | Inbound::Held(_)
        | Inbound::Halt(_)
        | Inbound::Resume { .. }
        | Inbound::Wake { .. } => false,
    };
    commits.iter().flat_map(|commit| &commit.events).any(is_change)
}

/// Whether a person holds the run after these commits, its whole log.
fn is_held_by_person(commits: &[Commit]) -> bool {
    let mut events = commits.iter().flat_map(|commit| &commit.events);
    let newest = events.rfind(|event| matches!(event, Event::RunHeld { .. } | Event::RunReleased { .. }));
    matches!(newest, Some(Event::RunHeld { halt: None, .. }))
}

#[cfg(test)]
mod tests {
    use heal_engine::Timestamp;

    use super::*;

    fn log(events: Vec<Event>) -> Vec<Commit> {
        let run_id = RunId::new("r-1");
        vec![Commit { run_id, first_seq: 1, cause_id: "c".to_owned(), at: Timestamp(1), events, chain: None }]
    }

    fn held(halt: Option<&str>) -> Event {
        let (by, reason) = ("local:anna".to_owned(), "look".to_owned());
        Event::RunHeld { by, reason, halt: halt.map(ToOwned::to_owned), until: None }
    }

    #[test]
    fn a_release_fits_only_a_run_that_a_person_holds() {
        let release =
            Inbound::Release { run_id: RunId::new("r-1"), by: "local:anna".to_owned(), reason: String::new() };
        let fits = |events| can_follow(&release, RunStatus::Running, &log(events));
        assert!(fits(vec![held(None)]));
        assert!(!fits(vec![held(Some("halt-1"))]), "a halt ends by itself");
        let released = Event::RunReleased { by: "local:anna".to_owned(), reason: String::new() };
        assert!(!fits(vec![held(None), released]));
    }

    #[test]
    fn a_change_is_seen_by_its_own_event_only() {
        let cancel = Inbound::Cancel { run_id: RunId::new("r-1"), by: "local:anna".to_owned() };
        assert!(!contains(&cancel, &log(vec![held(None)])));
        assert!(contains(&cancel, &log(vec![Event::CancelRequested { by: "local:bob".to_owned() }])));
        assert!(!may_follow_the_end(&cancel));
    }
}
