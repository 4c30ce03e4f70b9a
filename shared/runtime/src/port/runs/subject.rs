//! What a run is about, and how urgent it is.

use heal_engine::Map;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::message::cut;
use heal_engine::severity::Severity;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::RunHead;

/// Bytes of a name that the index keeps; the rest is cut, with a mark. A name in a message has at most 256 characters.
pub const SUBJECT_BYTES: usize = 1_024;

/// Outcomes after which a person has to look at the run.
pub const ATTENTION_OUTCOMES: [RunOutcome; 5] =
    [RunOutcome::Degraded, RunOutcome::NotHealed, RunOutcome::Failed, RunOutcome::Denied, RunOutcome::Timeout];

/// The names and the urgency that the incident gave. All are absent in the record of a rejected message.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Subject {
    /// The ticket, or the only one of the affected tickets.
    pub ticket_id: Option<String>,
    /// The workflow.
    pub workflow_id: Option<String>,
    /// The worker.
    pub worker_id: Option<String>,
    /// How severe the incident is, in upper case: mostly `CRITICAL`, `HIGH`, `MEDIUM`, `LOW` or `INFO`, but a producer may send any word.
    pub severity: Option<String>,
    /// Whether the incident asks for a person whatever becomes of the run.
    pub escalation_required: bool,
}

impl Subject {
    /// Reads the variables of an incident. A field that is neither a text nor a number counts as absent.
    pub fn from_variables(variables: &Map) -> Self {
        let name = |field: &str| variables.get(field).and_then(name);
        let only_ticket = || match variables.get("affected_tickets").and_then(Value::as_array).map(Vec::as_slice) {
            Some([ticket]) => self::name(ticket),
            Some(_) | None => None,
        };
        Self {
            ticket_id: name("ticket_id").or_else(only_ticket),
            workflow_id: name("workflow_id"),
            worker_id: name("worker_id"),
            severity: name("severity").map(|word| word.to_uppercase()),
            escalation_required: variables.get("escalation_required") == Some(&Value::Bool(true)),
        }
    }

    /// The worker, else the ticket, else the workflow, such as `worker:w-1`. `None` if there is none of them.
    pub fn target(&self) -> Option<String> {
        let Self { worker_id, ticket_id, workflow_id, .. } = self;
        let named = |kind: &str, id: &Option<String>| id.as_ref().map(|id| format!("{kind}:{id}"));
        named("worker", worker_id).or_else(|| named("ticket", ticket_id)).or_else(|| named("workflow", workflow_id))
    }

    /// Orders runs that wait for a person; the greater number is more urgent. Of two runs of equal severity, the one that requires
    /// escalation comes first. A severity that is missing or unknown comes last.
    pub fn urgency(&self) -> u8 {
        let severity = Severity::ALL.len() - Severity::rank(self.severity.as_deref());
        u8::try_from(severity * 2).unwrap_or(u8::MAX - 1) + u8::from(self.escalation_required)
    }
}

fn name(value: &Value) -> Option<String> {
    let mut name = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    cut(&mut name, SUBJECT_BYTES);
    (!name.is_empty()).then_some(name)
}

impl RunHead {
    /// Whether a person has something to do: approve the run, examine how it ended, or work through its follow-ups.
    pub fn needs_attention(&self) -> bool {
        self.status == RunStatus::AwaitingApproval
            || self.open_follow_ups > 0
            || self.outcome.is_some_and(|outcome| ATTENTION_OUTCOMES.contains(&outcome))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subject(variables: &Value) -> Subject {
        Subject::from_variables(variables.as_object().unwrap())
    }

    #[test]
    fn the_incidents_fields_are_read() {
        let whole = subject(&json!({
            "ticket_id": "t-1", "workflow_id": "wf-1", "worker_id": 7, "severity": "critical", "escalation_required": true,
        }));
        let expected = Subject {
            ticket_id: Some("t-1".to_owned()),
            workflow_id: Some("wf-1".to_owned()),
            worker_id: Some("7".to_owned()),
            severity: Some("CRITICAL".to_owned()),
            escalation_required: true,
        };
        assert_eq!(whole, expected);
        assert_eq!(
            subject(&json!({"ticket_id": {}, "worker_id": "", "escalation_required": "true"})),
            Subject::default()
        );
    }

    #[test]
    fn the_only_affected_ticket_is_the_ticket() {
        let ticket = |variables: Value| subject(&variables).ticket_id;
        assert_eq!(ticket(json!({"affected_tickets": ["t-2"]})).as_deref(), Some("t-2"));
        assert_eq!(ticket(json!({"affected_tickets": ["t-2"], "ticket_id": "t-1"})).as_deref(), Some("t-1"));
        assert_eq!(ticket(json!({"affected_tickets": ["t-2", "t-3"]})), None);
    }

    #[test]
    fn a_long_name_is_cut() {
        let long = subject(&json!({"ticket_id": "t".repeat(2 * SUBJECT_BYTES)})).ticket_id.unwrap();
        assert!(long.len() < SUBJECT_BYTES + 64, "{} bytes", long.len());
    }

    #[test]
    fn severity_comes_before_escalation() {
        let of = |severity: &str, escalation_required| {
            Subject { severity: Some(severity.to_owned()), escalation_required, ..Subject::default() }.urgency()
        };
        let descending = [
            of("CRITICAL", true),
            of("CRITICAL", false),
            of("HIGH", true),
            of("HIGH", false),
            of("MEDIUM", true),
            of("MEDIUM", false),
            of("LOW", true),
            of("LOW", false),
            of("INFO", true),
            of("INFO", false),
            of("SEV-2", true),
            Subject::default().urgency(),
        ];
        assert!(descending.is_sorted_by(|a, b| a > b), "{descending:?}");
    }
}
