//! A JSON Schema of check files, for editors.
//!
//! It knows less than [`read`](super::read): no templates, no playbooks. What it refuses, reading refuses too.

use serde_json::{Map, Value, json};

use super::probe::{
    DEFAULT_LIMIT, DEFAULT_STATE, DEFAULT_STATUS, DEFAULT_TICKET_STATUS, DEFAULT_TIMEOUT_SECONDS, METHODS, keys,
};
use super::{DEFAULT_EVERY_SECONDS, DEFAULT_FAILURES, DEFAULT_RAISE_ONCE_SECONDS};
use crate::name::NAME_BYTES;
use heal_engine::check::{ProbeKind, Service, TICKET_STATUSES, WORKFLOW_STATES};
use heal_engine::limit;

/// JSON Schema (draft 2020-12) of a check.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Check of the self-healing engine",
        "description": "What is looked at on a schedule, and which incident is raised where it is not well.",
        "type": "object",
        "additionalProperties": false,
        "required": ["probe", "incident"],
        "properties": {
            "name": {
                "description": "The file's name without its ending. Default: just that.",
                "type": "string",
                "pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$"),
            },
            "description": {"description": "One sentence for the person who reads the list of checks.", "type": "string"},
            "every_seconds": whole(
                &format!("From one look to the next, as far as the schedule comes round so often. Default: {DEFAULT_EVERY_SECONDS}."),
                limit::CHECK_EVERY_SECONDS,
                limit::DURATION_SECONDS,
            ),
            "probe": {"$ref": "#/$defs/probe"},
            "condition": {
                "description": "Which of the observed targets count, such as \"{{ target.worker_id is string }}\".",
                "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^\\s*\\{\\{[\\s\\S]*\\}\\}\\s*$"}],
            },
            "for": whole(
                &format!("Failing looks in a row before the incident is raised. Default: {DEFAULT_FAILURES}."),
                1,
                limit::CHECK_FAILURES.into(),
            ),
            "raise_once_in_seconds": whole(
                &format!("The window in which the incident about one target is raised once. Default: {DEFAULT_RAISE_ONCE_SECONDS}."),
                1,
                limit::DEDUPE_SECONDS,
            ),
            "incident": incident(),
        },
        "$defs": {"probe": probe()},
    })
}

fn incident() -> Value {
    json!({
        "description": "The incident without its id; every text in it is a template over `check`, `target`, `reason`, `failures`, `since` and `observed_at`.",
        "type": "object",
        "required": ["incident_type"],
        "properties": {
            "incident_type": {
                "description": "Decides which playbook it is, so that it has no template.",
                "type": "string",
                "minLength": 1,
                "not": {"pattern": "\\{[{%#]"},
            },
            "recommended_playbook": {
                "description": "Names the playbook, whatever its triggers are.",
                "type": "string",
                "not": {"pattern": "\\{[{%#]"},
            },
            "severity": {"type": "string"},
            "details": {"anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "string", "pattern": "\\{[{%]"}]},
            "auto_remediation_enabled": {
                "description": "false: a person has to agree first.",
                "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "\\{[{%]"}],
            },
        },
        "propertyNames": {"not": {"enum": ["incident_id", "incident", "item", "run_id", "steps"]}},
    })
}

/// What a look is at: each type with its own keys.
fn probe() -> Value {
    let cases = ProbeKind::ALL.map(|kind| {
        let properties: Map<String, Value> =
            keys(kind).iter().map(|key| ((*key).to_owned(), property(kind, key))).collect();
        let mut required = vec!["type"];
        required.extend(self::required(kind));
        json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
    });
    let kinds = ProbeKind::ALL.map(ProbeKind::as_str);
    json!({
        "description": "What is looked at.",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": kinds}},
        "oneOf": cases,
    })
}

const fn required(kind: ProbeKind) -> &'static [&'static str] {
    match kind {
        ProbeKind::Http => &["url"],
        ProbeKind::GrpcHealth => &["host", "port"],
        ProbeKind::OverdueTickets => &[],
        ProbeKind::StuckWorkflows => &["stuck_seconds"],
        ProbeKind::Dependency => &["service"],
    }
}

/// One key of a probe. All of [`keys`] are here; another one would be anything.
fn property(kind: ProbeKind, key: &str) -> Value {
    match (kind, key) {
        (_, "type") => json!({"const": kind.as_str(), "description": about(kind)}),
        (_, "timeout_seconds") => {
            whole(&format!("Of one look. Default: {DEFAULT_TIMEOUT_SECONDS}."), 1, limit::PROBE_SECONDS)
        }
        (_, "limit") => whole(
            &format!("Targets that one look reports or asks about. Default: {DEFAULT_LIMIT}."),
            1,
            limit::CHECK_TARGETS as u64,
        ),
        (ProbeKind::Dependency, "service") => {
            json!({"description": "As the engine is configured to reach it.", "enum": Service::ALL.map(Service::as_str)})
        }
        (_, "service") => text("One service of the server. Default: the server as a whole."),
        (_, "url") => {
            json!({"description": "http:// or https://, without credentials.", "type": "string", "pattern": "^https?://[^\\s@]+$"})
        }
        (_, "method") => json!({"description": "Default: GET.", "enum": METHODS.map(|(word, _)| word)}),
        (_, "expect_status") => json!({
            "description": format!("The statuses that are well; redirects are not followed. Default: [{DEFAULT_STATUS}]."),
            "type": "array",
            "minItems": 1,
            "items": {"type": "integer", "minimum": 100, "maximum": 599},
        }),
        (_, "expect_body_contains") => text("What the answer's body has to contain."),
        (_, "host") => text("Host name or address."),
        (_, "port") => whole("Port.", 1, u16::MAX.into()),
        (_, "tls") => {
            json!({"description": "Mutual TLS with the engine's own identity. Default: false.", "type": "boolean"})
        }
        (_, "spiffe_id") => text("The SPIFFE ID that the server has to have. Default: the orchestrator's."),
        (_, "status") => {
            words("Of the tickets that should have ended, in any case", DEFAULT_TICKET_STATUS, &TICKET_STATUSES)
        }
        (_, "overdue_seconds") => {
            whole("How far past its time a ticket may be. Default: 0.", 0, limit::DURATION_SECONDS)
        }
        (_, "workflow_ids") => json!({
            "description": "Default: the workflows of the tickets that are RUNNING.",
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "minLength": 1},
        }),
        (_, "state") => words("That a workflow is stuck in, in any case", DEFAULT_STATE, &WORKFLOW_STATES),
        (_, "stuck_seconds") => {
            whole("How long a workflow in that state may go without a change.", 1, limit::DURATION_SECONDS)
        }
        (_, _) => json!({}),
    }
}

const fn about(kind: ProbeKind) -> &'static str {
    match kind {
        ProbeKind::Http => "One HTTP exchange.",
        ProbeKind::GrpcHealth => "The standard health service of gRPC, grpc.health.v1.",
        ProbeKind::OverdueTickets => "Tickets that should have ended; each is a target.",
        ProbeKind::StuckWorkflows => "Workflows that make no progress; each is a target.",
        ProbeKind::Dependency => "A service that the engine itself depends on.",
    }
}

fn whole(description: &str, least: u64, most: u64) -> Value {
    json!({"description": description, "type": "integer", "minimum": least, "maximum": most})
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string", "minLength": 1})
}

/// A word of the platform in any case: editors propose it as the platform writes it.
fn words(what: &str, default: &str, words: &[&str]) -> Value {
    let either = |word: &&str| word.chars().flat_map(|c| ['[', c, c.to_ascii_lowercase(), ']']).collect::<String>();
    let pattern = words.iter().map(either).collect::<Vec<_>>().join("|");
    json!({
        "description": format!("{what}. Default: {default}."),
        "anyOf": [{"enum": words}, {"type": "string", "pattern": format!("^({pattern})$")}],
    })
}
