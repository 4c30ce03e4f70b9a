//! What happened in a run, in the past tense. The log consists of events and of nothing else.

mod commit;
mod format;
mod name;
mod outcome;
mod started;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Map;
use crate::id::{Digest, StepIndex, StepRef, Token};
use crate::message::AttemptResult;
use crate::time::Timestamp;

pub use commit::Commit;
pub use outcome::{RunOutcome, RunStatus, StepOutcome, StopCause};
pub use started::RunStarted;

/// One fact. Its fields are what a fold needs; a fact that earlier events imply is not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event of every run that has a plan.
    RunStarted(Box<RunStarted>),
    /// The first and only event of a run whose message could not be accepted; it keeps the message.
    IncidentRejected {
        /// The message's incident, as far as it could be found.
        incident_id: String,
        /// Why the message was rejected.
        reason: String,
        /// The message without its secrets, cut to [`crate::limit::REJECTED_BYTES`].
        message: String,
    },
    /// Another incident with the same concurrency key arrived while this run was live, or another one about the target of an escalated run.
    IncidentJoined {
        /// The other incident.
        incident_id: String,
    },
    /// The time for an approval is running out.
    ApprovalExpiring {
        /// The step that waits for it; `None`: the run as a whole.
        #[serde(flatten)]
        step: Option<StepRef>,
        /// The part of the time that has passed, in percent.
        percent: u32,
        /// When the run is cancelled, or the step is denied.
        until: Timestamp,
    },
    /// A person approved the run as a whole. The last approval that it needs lets it start.
    Approved {
        /// Who approved.
        by: String,
        /// The groups that this identity belonged to then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<String>,
    },
    /// A person decided that the run does not start.
    Rejected {
        /// Who rejected it.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// People are asked whether a step may do exactly this.
    ApprovalRequested {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// [`digest_parameters`](crate::message::digest_parameters) of `parameters`: what an approval is bound to.
        digest: Digest,
        /// The rendered parameters.
        parameters: Map,
        /// Identities and groups that may approve; empty: everybody but the requester.
        approvers: Vec<String>,
        /// How many different identities have to approve.
        min: u32,
        /// When the question is over, and the step is denied.
        until: Timestamp,
        /// Why people are asked, as a sentence.
        why: String,
        /// Whether the run reminds of it.
        reminder: bool,
    },
    /// A person approved what a step is about to do.
    StepApproved {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// What was approved.
        digest: Digest,
        /// Who approved.
        by: String,
        /// The groups that this identity belonged to then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        groups: Vec<String>,
    },
    /// A person decided that a step does not do it.
    StepRejected {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// What was rejected.
        digest: Digest,
        /// Who rejected it.
        by: String,
        /// Why; may be empty.
        reason: String,
    },
    /// A person asked the run to stop.
    CancelRequested {
        /// Who asked.
        by: String,
    },
    /// The alert that started the run is over.
    RunWithdrawn {
        /// What the message said, as a part of a sentence.
        reason: String,
    },
    /// The run starts nothing until it is released; its deadline and its timers stand still.
    RunHeld {
        /// The identity of who holds it: of who ordered the halt, or of a person who holds this run alone.
        by: String,
        /// Why, as a person wrote it.
        reason: String,
        /// The halt that holds it; `None` if a person holds this run alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        halt: Option<String>,
        /// When the halt ends by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// The run goes on: what it holds back is evaluated anew.
    RunReleased {
        /// The identity of who released it.
        by: String,
        /// Why, as a sentence.
        reason: String,
    },
    /// The run waits for room: as many runs are live as may be. It starts nothing, and its time stands still.
    RunQueued,
    /// There is room for the run, which goes on.
    RunAdmitted,
    /// Nothing was done about an attempt, because it was halted. Its step is ready again, and starts anew once the run is released, under the
    /// next number: the claim of this attempt is closed, so that a late duplicate of its command does nothing.
    AttemptHeld {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// The attempt, which does not count as one of the step's retries.
        attempt: u32,
        /// Why, as a sentence.
        reason: String,
        /// An earlier worker of the attempt died, and may have acted.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        may_have_acted: bool,
    },
    /// A person did what the run had left; of an escalated run, this acknowledges the escalation. May follow the last event.
    FollowUpDone {
        /// The id of the entry in this run.
        id: String,
        /// Who did it.
        by: String,
        /// What this person added.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A step's condition was false, so the step ended without an attempt.
    ConditionFalse {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
    },
    /// A step with `for_each` has rendered its elements.
    FannedOut {
        /// The step.
        step: StepIndex,
        /// The elements, in order.
        items: Vec<Value>,
    },
    /// The intent, written before the command is sent. It authorises exactly these parameters.
    AttemptStarted {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// Counted from 1.
        attempt: u32,
        /// The attempt's secret.
        token: Token,
        /// The rendered parameters.
        parameters: Map,
        /// [`digest_parameters`](crate::message::digest_parameters) of `parameters`.
        parameters_digest: Digest,
        /// No effect starts at or after this moment: the last one at which a worker may take the command.
        deadline: Timestamp,
        /// Milliseconds that the attempt has once a worker took it. Without it, an older build wrote the event, and the attempt has to have
        /// ended by `deadline`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_ms: Option<u64>,
    },
    /// The command of an attempt is issued again, because nothing was done about it: no worker took it in time, or no answer came. The attempt
    /// keeps its number, its parameters and its claim.
    AttemptReissued {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// The attempt that goes on.
        attempt: u32,
        /// The attempt's new secret: an answer to the earlier command no longer counts.
        token: Token,
        /// As of [`Event::AttemptStarted`].
        deadline: Timestamp,
        /// Why the command is issued again, as a sentence.
        reason: String,
    },
    /// A `wait` step began.
    WaitStarted {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// When the wait ends.
        until: Timestamp,
    },
    /// The result of an attempt was accepted, or its deadline passed without one.
    AttemptEnded {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// Counted from 1.
        attempt: u32,
        /// The result, within the bounds of [`AttemptResult::capped`].
        result: AttemptResult,
        /// When a worker took the attempt; `None` if no worker said so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        started_at: Option<Timestamp>,
        /// When that worker ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        finished_at: Option<Timestamp>,
    },
    /// Another attempt of the step will start after a backoff.
    RetryScheduled {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// The attempt that will start.
        attempt: u32,
        /// When it will start.
        due_at: Timestamp,
        /// Why the last attempt did not suffice.
        reason: String,
    },
    /// A step, or one element of a step that fans out, has ended.
    StepEnded {
        /// The step, or the element of a step that fans out.
        #[serde(flatten)]
        step: StepRef,
        /// How it ended.
        outcome: StepOutcome,
        /// Why, if the outcome alone does not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Every action has ended without a failure that stops the run; the verification begins.
    VerifyStarted,
    /// No new step starts; the run ends once no attempt is in flight.
    Stopping {
        /// Why the run stops, as a word.
        cause: StopCause,
        /// Why the run stops, as a sentence.
        reason: String,
    },
    /// The end of a run. Only [`Event::FollowUpDone`] may follow, and [`Event::IncidentJoined`] if the run is escalated.
    RunEnded {
        /// How the run ended.
        outcome: RunOutcome,
        /// Why, if the outcome alone does not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}
