//! What happened in a run, in the past tense. The log is made of these, and of nothing else.

mod outcome;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Map;
use crate::format::{self, Format};
use crate::id::{Digest, RunId, Seq, StepIndex, StepRef, Token};
use crate::message::AttemptResult;
use crate::time::Timestamp;

pub use outcome::{RunOutcome, RunStatus, StepOutcome, StopCause};

/// One conditional write: everything that one accepted input led to.
///
/// `first_seq` is the guard: it is one more than the last sequence number that the writer had read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    pub run_id: RunId,
    pub first_seq: Seq,
    /// Names the input, so that a repeated write recognises its own first try.
    pub cause_id: String,
    pub at: Timestamp,
    /// Never empty; the event at index `i` has sequence number `first_seq + i`.
    pub events: Vec<Event>,
}

impl Commit {
    pub fn last_seq(&self) -> Seq {
        self.first_seq + (self.events.len() as Seq).saturating_sub(1)
    }
}

/// One fact. Fields are what a fold needs; a fact that can be computed from earlier ones is not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every run that has a plan.
    RunStarted(Box<RunStarted>),
    /// The first and only event of a run whose message cannot be carried out; it keeps the message.
    IncidentRejected {
        incident_id: String,
        playbook: Option<String>,
        reason: String,
        /// The message as it came, cut to [`crate::limit::REJECTED_BYTES`].
        message: String,
    },
    /// Another incident came for the same concurrency key while this run was live.
    IncidentJoined {
        incident_id: String,
    },
    Approved {
        by: String,
    },
    CancelRequested {
        by: String,
    },
    /// A step's condition was false, so the step ended without an attempt.
    ConditionFalse {
        #[serde(flatten)]
        step: StepRef,
    },
    FannedOut {
        step: StepIndex,
        items: Vec<Value>,
    },
    /// The intent, written before the command is sent. It authorises exactly these parameters.
    AttemptStarted {
        #[serde(flatten)]
        step: StepRef,
        attempt: u32,
        token: Token,
        parameters: Map,
        parameters_digest: Digest,
        deadline: Timestamp,
    },
    WaitStarted {
        #[serde(flatten)]
        step: StepRef,
        until: Timestamp,
    },
    AttemptEnded {
        #[serde(flatten)]
        step: StepRef,
        attempt: u32,
        result: AttemptResult,
    },
    RetryScheduled {
        #[serde(flatten)]
        step: StepRef,
        /// The attempt that will start.
        attempt: u32,
        due_at: Timestamp,
        reason: String,
    },
    StepEnded {
        #[serde(flatten)]
        step: StepRef,
        outcome: StepOutcome,
        /// Why, where the outcome alone does not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Every action has ended well; the check whether it helped begins.
    VerifyStarted,
    /// No new step starts; what is in flight is waited for.
    Stopping {
        cause: StopCause,
        reason: String,
    },
    RunEnded {
        outcome: RunOutcome,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunStarted {
    pub incident_id: String,
    pub incident_type: Option<String>,
    pub playbook: String,
    /// Pins the plan: the run uses the playbook with this digest and no other.
    pub plan_digest: Digest,
    /// Every variable that the incident brought.
    pub variables: Map,
    /// Whether a person has to agree before the first step.
    pub approval: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_key: Option<String>,
    /// W3C `traceparent` that the run continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}

/// The events of one commit, as they are stored: a list, which becomes an object if it ever gets a second version.
impl Format for Vec<Event> {
    const NAME: &'static str = "run events";

    fn explain(text: &str, cause: serde_json::Error) -> format::Error {
        #[derive(Deserialize)]
        struct Named {
            event: String,
        }
        let names: Vec<Named> = serde_json::from_str(text).unwrap_or_default();
        match names.into_iter().find(|named| !Event::NAMES.contains(&named.event.as_str())) {
            Some(Named { event }) => {
                format::Error::UnknownEvent { name: Self::NAME, event, observed: 1, supported: Self::VERSION }
            }
            None => format::Error::Malformed { name: Self::NAME, cause },
        }
    }
}

impl Event {
    /// The names of all events.
    pub const NAMES: [&'static str; 15] = [
        "run_started",
        "incident_rejected",
        "incident_joined",
        "approved",
        "cancel_requested",
        "condition_false",
        "fanned_out",
        "attempt_started",
        "wait_started",
        "attempt_ended",
        "retry_scheduled",
        "step_ended",
        "verify_started",
        "stopping",
        "run_ended",
    ];

    /// Its name in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run_started",
            Self::IncidentRejected { .. } => "incident_rejected",
            Self::IncidentJoined { .. } => "incident_joined",
            Self::Approved { .. } => "approved",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::ConditionFalse { .. } => "condition_false",
            Self::FannedOut { .. } => "fanned_out",
            Self::AttemptStarted { .. } => "attempt_started",
            Self::WaitStarted { .. } => "wait_started",
            Self::AttemptEnded { .. } => "attempt_ended",
            Self::RetryScheduled { .. } => "retry_scheduled",
            Self::StepEnded { .. } => "step_ended",
            Self::VerifyStarted => "verify_started",
            Self::Stopping { .. } => "stopping",
            Self::RunEnded { .. } => "run_ended",
        }
    }

    /// Why a run ended, if this is its end and there is something to say.
    pub fn end_reason(&self) -> Option<&str> {
        match self {
            Self::RunEnded { reason, .. } => reason.as_deref(),
            Self::RunStarted(_)
            | Self::IncidentRejected { .. }
            | Self::IncidentJoined { .. }
            | Self::Approved { .. }
            | Self::CancelRequested { .. }
            | Self::ConditionFalse { .. }
            | Self::FannedOut { .. }
            | Self::AttemptStarted { .. }
            | Self::WaitStarted { .. }
            | Self::AttemptEnded { .. }
            | Self::RetryScheduled { .. }
            | Self::StepEnded { .. }
            | Self::VerifyStarted
            | Self::Stopping { .. } => None,
        }
    }
}
