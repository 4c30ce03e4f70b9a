//! Builds the [`Intake`] from the fields of a message.

use serde_json::Value;

use super::alarm::Alarm;
use super::error::FieldFaults;
use super::field::{self, Field, has, text};
use super::resolution::Resolution;
use super::{Intake, IntakeError, RESERVED, Shape, Via, path, tickets};
use crate::secret::Secrets;
use crate::{Map, RunId, traceparent};

/// The field of a message that may have a W3C `traceparent`.
const TRACEPARENT: &str = "traceparent";

/// # Errors
/// No shape matches, or fields have the wrong type; all of them in one error. A resolved incident is an error, too.
pub(super) fn parse(mut fields: Map, path: &str, via: Via) -> Result<Intake, IntakeError> {
    let Some(shape) = Shape::detect(&fields) else {
        return Err(IntakeError::no_shape(&fields, path));
    };
    let mut faults = FieldFaults::default();
    field::check(&fields, shape.fields(), path, &mut faults);
    field::check(&fields, &field::COMMON, path, &mut faults);
    if shape == Shape::RemediationRequest {
        field::check_playbook(&fields, path, &mut faults);
    }
    let mut nested = Map::new();
    if let Some(name) = shape.nested()
        && let Some(Value::Object(inner)) = fields.remove(name)
    {
        field::check(&inner, &field::NESTED, &path::join(path, name), &mut faults);
        nested = inner;
    }
    faults.into_result()?;

    let names = [text(&fields, "incident_id"), text(&nested, "incident_id"), text(&fields, "action_id")];
    let Some(incident_id) = names.into_iter().flatten().next().map(ToOwned::to_owned) else {
        return Err(IntakeError::no_shape(&fields, path));
    };
    if let Some(resolution) = Resolution::of_incident(shape, &fields, &incident_id) {
        return Err(IntakeError::resolved(resolution));
    }
    let remediation_id = text(&fields, "remediation_id");
    let dedupe_key = match (shape, remediation_id, text(&fields, "action_id")) {
        (Shape::RemediationRequest, Some(id), _) => format!("remediation:{id}"),
        (Shape::RemediationAction, _, Some(id)) => format!("action:{id}"),
        _ => format!("incident:{incident_id}"),
    };
    let run_id = remediation_id.filter(|id| RunId::is_legal(id)).map(RunId::new);
    Ok(Parts { shape, via, incident_id, run_id, dedupe_key, fields, nested }.assemble())
}

/// The intake of an alarm, which was validated when it was read.
pub(super) fn from_alarm(alarm: Alarm) -> Intake {
    let Alarm { incident_id, dedupe_key, fields } = alarm;
    let (shape, via) = (Shape::Incident, Via::CloudWatchAlarm);
    Parts { shape, via, incident_id, run_id: None, dedupe_key, fields, nested: Map::new() }.assemble()
}

impl Shape {
    fn detect(fields: &Map) -> Option<Self> {
        if has(fields, "action_id") && has(fields, "playbook") {
            return Some(Self::RemediationAction);
        }
        if ["remediation_id", "playbook_name", "playbook_id"].into_iter().any(|name| has(fields, name)) {
            return Some(Self::RemediationRequest);
        }
        // A null `incident_id` is an invalid incident, not an unknown message.
        fields.contains_key("incident_id").then_some(Self::Incident)
    }

    const fn fields(self) -> &'static [Field] {
        match self {
            Self::Incident => &field::INCIDENT,
            Self::RemediationRequest => &field::REQUEST,
            Self::RemediationAction => &field::ACTION,
        }
    }

    /// The field whose own fields become variables.
    const fn nested(self) -> Option<&'static str> {
        match self {
            Self::Incident => None,
            Self::RemediationRequest => Some("parameters"),
            Self::RemediationAction => Some("context"),
        }
    }

    /// Fields that control the request itself and are not variables.
    const fn control_fields(self) -> &'static [&'static str] {
        match self {
            Self::Incident => &[],
            Self::RemediationRequest => &["remediation_id", "playbook_name", "playbook_id", "execution_mode"],
            Self::RemediationAction => &["action_id", "playbook", "execution_mode"],
        }
    }
}

/// The parts of a validated message.
#[derive(Debug)]
struct Parts {
    shape: Shape,
    via: Via,
    incident_id: String,
    run_id: Option<RunId>,
    dedupe_key: String,
    fields: Map,
    nested: Map,
}

impl Parts {
    fn assemble(self) -> Intake {
        let Self { shape, via, incident_id, run_id, dedupe_key, mut fields, nested } = self;
        let playbook = playbook(&fields);
        let is_manual = text(&fields, "execution_mode").is_some_and(field::is_manual);
        let approval = is_manual || is_refused(&fields) || is_refused(&nested);
        for name in shape.control_fields() {
            fields.remove(*name);
        }
        let mut variables = fields;
        variables.extend(nested);
        let reserved =
            RESERVED.into_iter().filter(|name| variables.remove(*name).is_some()).map(ToOwned::to_owned).collect();
        variables.insert("incident_id".to_owned(), Value::from(incident_id.as_str()));
        tickets::complete(&mut variables);
        Secrets::default().hide(&mut variables);
        drop_bad_traceparent(&mut variables);
        Intake {
            incident_type: text(&variables, "incident_type").map(ToOwned::to_owned),
            playbook,
            run_id,
            approval,
            traceparent: trace_of(&variables, &dedupe_key),
            variables,
            reserved,
            shape,
            via,
            dedupe_key,
            incident_id,
        }
    }
}

/// A blank recommendation counts as absent: producers without optional fields write it.
fn playbook(fields: &Map) -> Option<String> {
    let asked = ["playbook_name", "playbook_id", "playbook"].into_iter().find_map(|name| text(fields, name));
    let recommended = || text(fields, "recommended_playbook").filter(|name| !name.trim().is_empty());
    asked.or_else(recommended).map(ToOwned::to_owned)
}

fn is_refused(fields: &Map) -> bool {
    fields.get("auto_remediation_enabled") == Some(&Value::Bool(false))
}

/// W3C `traceparent`: that of the message if it is valid, else one made from its `trace_id`, with a span id derived from
/// `key`.
fn trace_of(variables: &Map, key: &str) -> Option<String> {
    let own = text(variables, TRACEPARENT).map(ToOwned::to_owned);
    own.or_else(|| traceparent::from_trace_id(text(variables, "trace_id")?, key))
}

/// What is not a trace context is neither stored nor sent on: it would be a header of every call.
fn drop_bad_traceparent(variables: &mut Map) {
    if !text(variables, TRACEPARENT).is_some_and(traceparent::is_valid) {
        variables.remove(TRACEPARENT);
    }
}
