//! Parses incoming messages (contracts, section 5).
//!
//! # Shapes
//! The fields of a message decide its shape; `null` counts as absent. The first rule that matches applies.
//!
//! 1. Envelopes, at most [`ENVELOPES`] of them, in any order:
//!    - `source` = `aws.cloudwatch` with `detail-type` and `detail`, or with `alarmData`; or `AlarmName` with
//!      `NewStateValue`: a `CloudWatch` alarm sent through EventBridge, Lambda or SNS. The alarm is the incident (see
//!      below);
//!    - `detail-type` with `detail`: EventBridge. The object `detail` is read;
//!    - `Type` = `Notification` with `Message`: SNS. The text `Message` is read.
//! 2. `action_id` with `playbook`: a remediation action. Its `context` has the variables.
//! 3. `remediation_id`, `playbook_name` or `playbook_id`: a remediation request. Its `parameters` have the variables.
//! 4. `incident_id`, even if it is `null` and thus invalid: an incident.
//!
//! # Variables
//! Every field of the message keeps its name and its type; fields of `parameters` or `context` override those next to
//! them, except `incident_id`. Fields that only control a request or an action (`remediation_id`, `playbook_name`,
//! `playbook_id`, `execution_mode`, `action_id`, `playbook`) are not variables. [`RESERVED`] names are removed from the variables and
//! listed in [`Intake::reserved`]. An integer of more than 64 bits becomes a floating-point number, as in most JSON
//! readers. A secret, by the name of its field or by its shape in any text, becomes [`HIDDEN`](crate::secret::HIDDEN). A name in the shape of a
//! secret is refused.
//!
//! # Targets
//! A [`TARGETS`] field that is `null` or blank counts as absent: producers write both where they do not know the target.
//! Where `ticket_id` is absent and `affected_tickets` names one ticket, that one is the `ticket_id`. Several are
//! [`Intake::tickets`], and a playbook that works on one ticket gets a run for each.
//!
//! # Alarms
//! Only a change to the state ALARM is an incident; other alarm events are [`IntakeError::NotAnIncident`]. A change to OK
//! is a [`Resolution`], and so is an incident whose `status` or `state` is `resolved` in any case. The type and
//! further variables come from the description of the alarm: either a JSON object, or words such as
//! `incident_type=WORKER_FAILURE worker_id=worker-1` in a sentence; the default type is [`ALARM_TYPE`]. Metric
//! dimensions are variables under their own name and under its `snake_case` form (`PodName`, `pod_name`). Facts of the
//! alarm override its description, which overrides dimensions: `alarm_name`, `alarm_arn`, `region`, `account`,
//! `reason`, `state_changed_at`, `metric_name`, `metric_namespace`.

mod alarm;
mod envelope;
mod error;
mod field;
mod json;
mod path;
mod peek;
mod resolution;
mod shape;
mod tickets;

use serde::Serialize;

use crate::{Map, RunId, limit};

pub use error::{FieldFault, IntakeError};
pub use field::type_mismatch;
pub use peek::peek_incident_id;
pub use resolution::{Alert, Resolution};

/// Characters of an `incident_id`, and of every other name in a message.
pub const NAME_CHARACTERS: usize = 256;
/// Envelopes around one incident: an alarm sent through EventBridge, SNS and a second bus has three.
pub const ENVELOPES: usize = 3;
/// Levels of nested lists and objects in one JSON text. `DynamoDB` documents have at most 32, of which the first event
/// of a run needs some around the incident.
pub const DEPTH_LEVELS: usize = 24;
/// Wrong fields that one error names; it counts the rest.
pub const FAULTS: usize = 20;

/// Names that templates define themselves, so a payload cannot set them.
pub const RESERVED: [&str; 4] = ["incident", "item", "run_id", "steps"];

/// Names of what an incident is about; each may be missing.
pub const TARGETS: [&str; 5] = ["affected_tickets", "namespace", "pod_name", "ticket_id", "worker_id"];

/// The incident type of an alarm whose description has none.
pub const ALARM_TYPE: &str = "CLOUDWATCH_ALARM";

/// One parsed message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intake {
    /// 1 to [`NAME_CHARACTERS`] characters, unchanged. Defaults to the `action_id` of an action.
    pub incident_id: String,
    /// Selects the playbook if the message names none.
    pub incident_type: Option<String>,
    /// The playbook that the message names: `playbook_name` or `playbook_id`, else `playbook`, else a `recommended_playbook`
    /// that is not blank.
    pub playbook: Option<String>,
    /// The id of a remediation request, if it is a legal run id.
    pub run_id: Option<RunId>,
    /// Whether a person has to approve first: `execution_mode` is `MANUAL_APPROVAL` or `MANUAL_APPROVAL_REQUIRED`, or
    /// `auto_remediation_enabled` is false.
    pub approval: bool,
    /// The variables of the templates. They are data: no text in them is ever compiled.
    pub variables: Map,
    /// [`RESERVED`] names that were removed from the payload.
    pub reserved: Vec<String>,
    /// W3C `traceparent` to continue: that of the message if it is valid, else one made from a `trace_id` of 32 hexadecimal
    /// digits.
    pub traceparent: Option<String>,
    /// The kind of message.
    pub shape: Shape,
    /// The innermost envelope.
    pub via: Via,
    /// The same for every delivery of a message and for retries of its producer: `remediation:<id>`, `action:<id>`,
    /// `alarm:<ARN>:<time of the state change>`, else `incident:<id>`. Independent of the playbook. For one of several
    /// tickets, `ticket:<id>:` comes before it.
    pub dedupe_key: String,
}

/// The kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// An incident, or an alarm.
    Incident,
    /// Asks for a playbook by name.
    RemediationRequest,
    /// Asks for one action of a playbook.
    RemediationAction,
}

/// The innermost envelope of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// No envelope.
    Direct,
    /// The `detail` of an event.
    EventBridge,
    /// The `Message` of a notification.
    Sns,
    /// A `CloudWatch` alarm, in whatever envelope.
    CloudWatchAlarm,
}

/// Parses one message, the body of a queue message or of an HTTP request. Reports all wrong fields at once.
///
/// Refuses a duplicate key in an object: readers differ in which value they keep.
///
/// # Errors
/// Acknowledge [`IntakeError::NotAnIncident`] once its [`Resolution`], if it has one, is executed. Any other error is permanent: dead-letter the message.
pub fn read(message: &str) -> Result<Intake, IntakeError> {
    if message.len() > limit::MESSAGE_BYTES {
        return Err(IntakeError::TooLarge { observed_bytes: message.len() });
    }
    match envelope::open(message)? {
        envelope::Content::Alarm(alarm) => Ok(shape::from_alarm(alarm)),
        envelope::Content::Fields { fields, path, via } => shape::parse(fields, &path, via),
    }
}
