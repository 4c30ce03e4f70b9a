//! The version rule of stored events.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Event, RunOutcome, StepOutcome};
use crate::format::{self, Format};
use crate::message::AttemptOutcome;

/// The events of one commit, as stores keep them.
///
/// | version | text | new in it |
/// |---|---|---|
/// | 1 | a list of events | |
/// | 2 | `{"format":2,"events":[…]}` | the run outcome `DEGRADED` |
/// | 3 | | the events `approval_expiring`, `attempt_reissued`, `follow_up_done`, `run_withdrawn` |
/// | 4 | | the events `run_held`, `run_released`, `attempt_held`, `rejected`, `approval_requested`, `step_approved`, `step_rejected`; a step in
/// `approval_expiring`; an attempt that ended `needs_approval`; the run outcome `ESCALATED`, after which `incident_joined` may follow; a run of mode
/// `shadow`: its first event, what would have been done, the outcomes `shadowed` and `SHADOWED` |
/// | 5 | | the events `run_queued`, `run_admitted` |
/// | 6 | | the first event of a run that a request named, whose claims carry the run's start |
impl Format for Vec<Event> {
    const NAME: &'static str = "run events";
    const VERSION: u32 = 6;
    const LIST: &'static str = "events";

    fn needed_version(&self) -> u32 {
        let needed = |event: &Event| match event {
            // An older build would take the claims of an earlier run of this id for those of this one.
            Event::RunStarted(started) if started.named => 6,
            Event::RunQueued | Event::RunAdmitted => 5,
            Event::RunHeld { .. }
            | Event::RunReleased { .. }
            | Event::AttemptHeld { .. }
            | Event::Rejected { .. }
            | Event::ApprovalRequested { .. }
            | Event::StepApproved { .. }
            | Event::StepRejected { .. }
            | Event::ApprovalExpiring { step: Some(_), .. }
            | Event::RunEnded { outcome: RunOutcome::Escalated, .. } => 4,
            Event::AttemptEnded { result, .. } if result.needs_approval() => 4,
            // An older build would execute the run.
            Event::RunStarted(started) if started.mode.is_shadow() => 4,
            Event::StepEnded { outcome: StepOutcome::Shadowed, .. }
            | Event::RunEnded { outcome: RunOutcome::Shadowed, .. } => 4,
            Event::AttemptEnded { result, .. } if matches!(result.outcome, AttemptOutcome::Shadowed { .. }) => 4,
            Event::ApprovalExpiring { .. }
            | Event::AttemptReissued { .. }
            | Event::RunWithdrawn { .. }
            | Event::FollowUpDone { .. } => 3,
            Event::RunEnded { outcome: RunOutcome::Degraded, .. } => 2,
            Event::RunStarted(_)
            | Event::IncidentRejected { .. }
            | Event::IncidentJoined { .. }
            | Event::Approved { .. }
            | Event::CancelRequested { .. }
            | Event::ConditionFalse { .. }
            | Event::FannedOut { .. }
            | Event::AttemptStarted { .. }
            | Event::WaitStarted { .. }
            | Event::AttemptEnded { .. }
            | Event::RetryScheduled { .. }
            | Event::StepEnded { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. }
            | Event::RunEnded { .. } => 1,
        };
        self.iter().map(needed).max().unwrap_or(1)
    }

    fn parse(text: &str, version: u32) -> Result<Self, serde_json::Error> {
        parse_events(text, version)
    }

    fn explain(text: &str, cause: serde_json::Error) -> format::Error {
        #[derive(Deserialize)]
        struct Named {
            event: String,
        }
        let observed = format::version(text).unwrap_or(1);
        let names: Vec<Named> = parse_events(text, observed).unwrap_or_default();
        match names.into_iter().find(|named| !Event::NAMES.contains(&named.event.as_str())) {
            Some(Named { event }) => {
                format::Error::UnknownEvent { name: Self::NAME, event, observed, supported: Self::VERSION }
            }
            None => format::Error::Malformed { name: Self::NAME, cause },
        }
    }
}

fn parse_events<T: DeserializeOwned>(text: &str, version: u32) -> Result<Vec<T>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Wrapped<T> {
        events: Vec<T>,
    }
    match version {
        1 => serde_json::from_str(text),
        _ => serde_json::from_str(text).map(|wrapped: Wrapped<T>| wrapped.events),
    }
}
