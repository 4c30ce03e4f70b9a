//! Why playbooks cannot be used, and why an incident does not start a run.

use heal_engine::PlanError;
use heal_engine::template::TemplateError;

/// A set of playbooks that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A playbook does not compile.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The condition of a trigger does not compile.
    #[error("failed to compile the trigger {incident_type} of playbook {playbook}")]
    Trigger {
        /// The playbook.
        playbook: String,
        /// The trigger.
        incident_type: String,
        /// What is wrong with the condition.
        #[source]
        cause: TemplateError,
    },
    /// `parameters_schema` is not a JSON Schema.
    #[error("failed to compile the parameters_schema of playbook {playbook}: {detail}")]
    Schema {
        /// The playbook.
        playbook: String,
        /// What is wrong with the schema.
        detail: String,
    },
    /// Names have to be unique.
    #[error("two playbooks are named {name}; rename one")]
    Twice {
        /// The name.
        name: String,
    },
    /// The text is not what `heal playbook compile` writes.
    #[error("failed to read the compiled playbooks")]
    Unreadable(#[source] serde_json::Error),
}

/// Why an incident does not start a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The incident names a playbook that does not exist.
    #[error("there is no playbook `{name}`{}; known are: {}", hint(.suggestion.as_deref()), .known.join(", "))]
    UnknownPlaybook {
        /// The name in the incident.
        name: String,
        /// The most similar name.
        suggestion: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// No trigger fits the incident.
    #[error("no playbook has a trigger for incident_type `{incident_type}`, and the incident names none; triggers exist for: {}", .known.join(", "))]
    NoTrigger {
        /// The incident's type.
        incident_type: String,
        /// The types of all triggers.
        known: Vec<String>,
    },
    /// The incident can neither be routed by name nor by type.
    #[error("the incident has neither an incident_type nor the name of a playbook")]
    Nothing,
    /// The condition of the only fitting trigger cannot be evaluated.
    #[error("playbook {playbook} has a trigger for `{incident_type}`, and its condition failed: {detail}")]
    TriggerFailed {
        /// The playbook.
        playbook: String,
        /// The trigger.
        incident_type: String,
        /// Why the condition failed.
        detail: String,
    },
    /// The variables do not satisfy `parameters_schema`.
    #[error("the variables do not fit playbook {playbook}: {}", .faults.join("; "))]
    Variables {
        /// The playbook.
        playbook: String,
        /// Each fault, with the variable's path.
        faults: Vec<String>,
    },
    /// A request names its one run, and the playbook would need several.
    #[error(
        "playbook {playbook} works on one ticket, and the request `{run_id}` names {observed} in `affected_tickets`; \
         send one request for each ticket with its `ticket_id`, or the tickets as an incident"
    )]
    SeveralTickets {
        /// The playbook.
        playbook: String,
        /// The request's `remediation_id`.
        run_id: String,
        /// The number of tickets.
        observed: usize,
    },
    /// The concurrency key cannot be rendered.
    #[error("concurrency_key of playbook {playbook}: {detail}")]
    ConcurrencyKey {
        /// The playbook.
        playbook: String,
        /// Why not.
        detail: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}
