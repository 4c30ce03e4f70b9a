//! What comes in: one message, understood (contracts, section 5).
//!
//! # Which shape a message has
//! Decided by which fields are there, `null` counting as absent, and by the words that AWS puts into its own. The first
//! rule that fits holds.
//!
//! 1. Envelopes, at most [`ENVELOPES`] of them, in any order:
//!    - `source` = `aws.cloudwatch` with `detail-type` and `detail`, or with `alarmData`; or `AlarmName` with
//!      `NewStateValue`: a `CloudWatch` alarm by way of EventBridge, Lambda or SNS. It is an incident itself (see
//!      below);
//!    - `detail-type` with `detail`: EventBridge. The object `detail` is read instead;
//!    - `Type` = `Notification` with `Message`: SNS. The text `Message` is read instead.
//! 2. `action_id` with `playbook`: a remediation action. Its `context` brings the variables.
//! 3. `remediation_id` or `playbook_name`: a remediation request. Its `parameters` bring the variables.
//! 4. `incident_id`, even where it is `null` and so a wrong one: an incident.
//!
//! # Variables
//! Every field of the message keeps its name and its type; fields of `parameters` or `context` win over those beside
//! them, except `incident_id`, which has one truth. What only steers a request or an action (`remediation_id`,
//! `playbook_name`, `execution_mode`, `action_id`, `playbook`) is no variable. [`RESERVED`] names are left out of the
//! variables and listed in [`Intake::reserved`]. An integer of more than 64 bits becomes a floating-point number, as in
//! most JSON readers. The value of a field that holds a secret by its name, such as `api_token` or `password`, is replaced by [`HIDDEN`].
//!
//! # Alarms
//! Only a change to the state ALARM is an incident; other events of alarms are [`IntakeError::NotAnIncident`]. Its type
//! and further variables come from the alarm's description: either a JSON object, or words such as
//! `incident_type=WORKER_FAILURE worker_id=worker-1` in a sentence; without them the type is [`ALARM_TYPE`]. Metric
//! dimensions are variables under their own name and under its `snake_case` form (`PodName`, `pod_name`). Facts of the
//! alarm win over its description, and that wins over dimensions: `alarm_name`, `alarm_arn`, `region`, `account`,
//! `reason`, `state_changed_at`, `metric_name`, `metric_namespace`.

mod alarm;
mod envelope;
mod error;
mod field;
mod json;
mod path;
mod peek;
mod secret;
mod shape;
mod trace;

use serde::Serialize;

use crate::{Map, RunId, limit};

pub use error::{FieldFault, IntakeError};
pub use field::expected;
pub use peek::peek_incident_id;
pub use secret::{HIDDEN, without_secrets};

/// Characters of an `incident_id`, and of every other name that a message gives.
pub const NAME_CHARACTERS: usize = 256;
/// Envelopes around one incident: an alarm through EventBridge, SNS and a second bus has three.
pub const ENVELOPES: usize = 3;
/// Levels of nested lists and objects in one JSON text. `DynamoDB` documents have at most 32, and a run's first event
/// lays some around the incident.
pub const DEPTH_LEVELS: usize = 24;
/// Wrong fields that one error names; the rest are counted.
pub const FAULTS: usize = 20;

/// Names that mean something of their own in a playbook, so that no payload may set them.
pub const RESERVED: [&str; 4] = ["incident", "item", "run_id", "steps"];

/// The incident type of an alarm whose description names none.
pub const ALARM_TYPE: &str = "CLOUDWATCH_ALARM";

/// One message, understood.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intake {
    /// 1 to [`NAME_CHARACTERS`] characters, otherwise as it came. An action without one is named by its `action_id`.
    pub incident_id: String,
    pub incident_type: Option<String>,
    /// The playbook that the message asks for by name: `playbook_name`, else `playbook`, else `recommended_playbook`
    /// where it is not blank.
    pub playbook: Option<String>,
    /// A remediation request's own id, where it may name a run.
    pub run_id: Option<RunId>,
    /// A person has to agree first: `execution_mode` is `MANUAL_APPROVAL`, or `auto_remediation_enabled` is false.
    pub approval: bool,
    /// What the playbook's templates may name. Data: no text in it is ever compiled.
    pub variables: Map,
    /// [`RESERVED`] names that the payload had, and that are not among the variables.
    pub reserved: Vec<String>,
    /// W3C `traceparent` to continue: the message's own if it is valid, else made from a `trace_id` of 32 hexadecimal
    /// digits.
    pub traceparent: Option<String>,
    pub shape: Shape,
    /// What the incident lay in directly; envelopes further out do not show.
    pub via: Via,
    /// The same for every delivery of a message and for its producer's retries: `remediation:<id>`, `action:<id>`,
    /// `alarm:<ARN>:<time of the state change>`, else `incident:<id>`. It does not have the playbook in it.
    pub dedupe_key: String,
}

/// What kind of message it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    Incident,
    RemediationRequest,
    RemediationAction,
}

/// How the incident was wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    Direct,
    EventBridge,
    Sns,
    CloudWatchAlarm,
}

/// Understands one message, the body of a queue's message or of an HTTP request. Every wrong field is reported at once.
///
/// A key that occurs twice in one object is refused: readers differ in which of the two they keep.
///
/// # Errors
/// [`IntakeError::NotAnIncident`] is to be acknowledged and forgotten; everything else is a message that somebody has
/// to look at, and no second try will make it better.
pub fn read(message: &str) -> Result<Intake, IntakeError> {
    if message.len() > limit::MESSAGE_BYTES {
        return Err(IntakeError::TooLarge { observed_bytes: message.len() });
    }
    match envelope::open(message)? {
        envelope::Content::Alarm(alarm) => Ok(shape::intake(alarm)),
        envelope::Content::Fields { fields, path, via } => shape::understand(fields, &path, via),
    }
}
