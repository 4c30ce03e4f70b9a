//! A JSON Schema of playbook files, for editors: completion, documentation, and the first faults while typing.
//!
//! It checks less than [`read`](super::read): no names, no needs, no templates. Reading refuses whatever the schema refuses, except
//! old keys, which the schema lacks so that an editor proposes the new ones.

use heal_engine::catalog::{ActionSpec, Catalog, WAIT};
use heal_engine::limit;
use heal_engine::playbook::Retry;
use serde_json::{Map, Value, json};

use super::build::{DEFAULT_EVERY_SECONDS, DEFAULT_MAX_PARALLEL};
use super::document::{DEFAULT_TIMEOUT_SECONDS, PLAN_GATE};
use super::step::{ON_FAILURE, ON_UNAVAILABLE};
use crate::name::NAME_BYTES;

mod parameters;

use parameters::{case, wait_case};

/// JSON Schema (draft 2020-12) of a playbook whose steps take the actions of `catalog`.
pub fn schema(catalog: &Catalog) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Playbook of the self-healing engine",
        "description": "Which incidents it handles, which actions remedy them, and how it verifies the result.",
        "type": "object",
        "additionalProperties": false,
        "required": ["actions"],
        "properties": {
            "name": described(name(), "The file name without its extension, which is also the default."),
            "description": {"type": "string", "description": "One sentence for the list of playbooks."},
            "timeout_seconds": seconds(&format!(
                "The run's deadline, retries and verification included. Default: {DEFAULT_TIMEOUT_SECONDS}."
            )),
            "triggers": {
                "description": "The incidents that start this playbook, unless they name another one.",
                "type": "array",
                "items": trigger(),
            },
            "parameters_schema": {
                "description": "JSON Schema of the variables that an incident has to have. If it lists properties, any other name in a template is an error.",
                "type": "object",
            },
            "concurrency_key": {
                "description": "A template. Runs with the same key exclude each other: a second incident joins the first run.",
                "type": "string",
                "minLength": 1,
            },
            "plan_gate": {
                "description": "What follows if a later effect would be denied, before the first one happens: stop does nothing at all if the denied step would stop the run, warn starts the run with a warning. Default: stop.",
                "enum": PLAN_GATE.iter().map(|(word, _)| *word).collect::<Vec<_>>(),
            },
            "approval": {
                "$ref": "#/$defs/approval",
                "description": "Asks people before the first step.",
            },
            "actions": {
                "description": "The steps, in sequence unless `needs` says otherwise.",
                "type": "array",
                "minItems": 1,
                "maxItems": limit::STEPS,
                "items": {"$ref": "#/$defs/action"},
            },
            "verify": {
                "description": "What has to hold after the actions for the run to succeed.",
                "type": "array",
                "maxItems": limit::STEPS,
                "items": {"$ref": "#/$defs/verify"},
            },
        },
        "$defs": {
            "template": template(),
            "condition": condition(),
            "retry": retry(),
            "approval": approval(),
            "action": action(catalog),
            "verify": verify(catalog),
        },
    })
}

fn template() -> Value {
    json!({
        "description": "A text with `{{ }}`. A single expression keeps its type.",
        "type": "string",
        "pattern": "\\{[{%]",
    })
}

fn condition() -> Value {
    json!({
        "description": "A boolean, or a single expression that gives one.",
        "anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^\\s*\\{\\{[\\s\\S]*\\}\\}\\s*$"}],
    })
}

fn name() -> Value {
    json!({"type": "string", "pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$")})
}

fn seconds(description: &str) -> Value {
    json!({"description": description, "type": "integer", "minimum": 1, "maximum": limit::DURATION_SECONDS})
}

fn described(mut schema: Value, description: &str) -> Value {
    if let Value::Object(keys) = &mut schema {
        keys.insert("description".to_owned(), description.into());
    }
    schema
}

fn trigger() -> Value {
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["incident_type"],
        "properties": {
            "incident_type": {
                "description": "Such as TICKET_TIMEOUT, WORKER_FAILURE, SLA_VIOLATION, INCONSISTENCY, or any other type that producers use.",
                "type": "string",
                "minLength": 1,
            },
            "condition": {"$ref": "#/$defs/condition", "description": "On the incident's fields, such as \"{{ severity != 'INFO' }}\"."},
        },
    })
}

fn retry() -> Value {
    let default = Retry::default();
    let backoff = |description: &str| json!({"description": description, "type": "integer", "minimum": 0, "maximum": limit::BACKOFF_SECONDS});
    json!({
        "description": "Further attempts after a transient failure.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "max_attempts": {
                "description": format!("Including the first attempt. Default: {}.", default.max_attempts),
                "type": "integer",
                "minimum": 1,
                "maximum": limit::ATTEMPTS,
            },
            "backoff_seconds": backoff(&format!(
                "Before the second attempt, doubled before each further one. Default: {}.", default.backoff_seconds
            )),
            "max_backoff_seconds": backoff(&format!("The longest backoff. Default: {}.", default.max_backoff_seconds)),
        },
    })
}

fn approval() -> Value {
    let seconds = (limit::SHORTEST_APPROVAL_SECONDS, limit::APPROVAL_SECONDS);
    json!({
        "description": "`true`, or who has to agree, and how soon.",
        "anyOf": [{"type": "boolean"}, {
            "type": "object",
            "additionalProperties": false,
            "properties": {
                "when": {"$ref": "#/$defs/condition", "description": "Nobody is asked if this is false."},
                "approvers": {
                    "description": "Identities such as local:anna, and groups of the guardrails. Default: everybody but whoever started the run.",
                    "type": "array",
                    "maxItems": limit::APPROVERS,
                    "items": {"type": "string", "minLength": 1},
                },
                "min": {
                    "description": "How many different people have to approve. Default: 1.",
                    "type": "integer",
                    "minimum": 1,
                    "maximum": limit::APPROVERS_NEEDED,
                },
                "expires_seconds": {
                    "description": format!("After this time the answer is no. Default: {}.", limit::APPROVAL_SECONDS),
                    "type": "integer",
                    "minimum": seconds.0,
                    "maximum": seconds.1,
                },
                "reminder": {"description": "Whether the run reminds of it. Default: true.", "type": "boolean"},
            },
        }],
    })
}

/// The keys that actions and verify entries share.
fn common() -> Map<String, Value> {
    let words = |choices: Vec<&str>| json!(choices);
    let keys = json!({
        "name": described(name(), "Unique in the playbook; templates read its outputs as `steps.NAME.OUTPUT`. Default: the type."),
        "condition": {"$ref": "#/$defs/condition", "description": "The step is skipped if this is false."},
        "needs": {
            "description": "Names of the steps that have to succeed first. Default: the step before; [] starts at once.",
            "type": "array",
            "items": name(),
        },
        "timeout_seconds": seconds("Timeout of one attempt. Default: that of the action."),
        "on_failure": {
            "description": "Whether the run stops if the step fails. Default: stop.",
            "enum": words(ON_FAILURE.iter().map(|(word, _)| *word).collect()),
        },
        "on_unavailable": {
            "description": "What to do if a service is unreachable. Default: skip, a success with a warning and a follow-up.",
            "enum": words(ON_UNAVAILABLE.iter().map(|(word, _)| *word).collect()),
        },
    });
    match keys {
        Value::Object(keys) => keys,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn action(catalog: &Catalog) -> Value {
    let mut properties = common();
    properties.extend([
        ("type".to_owned(), action_type(catalog.iter(), true)),
        ("parameters".to_owned(), json!({"description": "Arguments of the action; texts may be templates.", "type": ["object", "null"]})),
        ("retry".to_owned(), json!({"$ref": "#/$defs/retry"})),
        (
            "approval".to_owned(),
            json!({"$ref": "#/$defs/approval", "description": "Asks people before the step's first attempt."}),
        ),
        (
            "for_each".to_owned(),
            json!({
                "description": "A list, or a template that gives one: the step runs once per element, which templates read as `item`.",
                "anyOf": [{"type": "array"}, {"$ref": "#/$defs/template"}],
            }),
        ),
        (
            "max_parallel".to_owned(),
            json!({
                "description": format!("Concurrent elements of `for_each`. Default: {DEFAULT_MAX_PARALLEL}."),
                "type": "integer",
                "minimum": 1,
                "maximum": limit::IN_FLIGHT,
            }),
        ),
    ]);
    let mut cases: Vec<Value> = catalog.iter().map(case).collect();
    cases.push(wait_case());
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["type"],
        "properties": properties,
        "allOf": cases,
    })
}

fn verify(catalog: &Catalog) -> Value {
    let mut properties = common();
    properties.extend([
        ("type".to_owned(), action_type(catalog.iter(), false)),
        (
            "parameters".to_owned(),
            json!({"description": "Arguments of the action; texts may be templates.", "type": ["object", "null"]}),
        ),
        (
            "until".to_owned(),
            json!({"$ref": "#/$defs/condition", "description": "The condition to wait for, on the outputs of this entry."}),
        ),
        ("within_seconds".to_owned(), seconds("How long to wait, from the first probe on.")),
        (
            "every_seconds".to_owned(),
            seconds(&format!("From the end of one probe to the next. Default: {DEFAULT_EVERY_SECONDS}.")),
        ),
    ]);
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["type", "until", "within_seconds"],
        "properties": properties,
        "allOf": catalog.iter().map(case).collect::<Vec<_>>(),
    })
}

/// A list of constants, so that an editor shows the description of each action.
fn action_type<'c>(specs: impl Iterator<Item = &'c ActionSpec>, with_wait: bool) -> Value {
    let wait = with_wait.then(|| json!({"const": WAIT, "description": "Lets `seconds` pass."}));
    let types: Vec<Value> =
        specs.map(|spec| json!({"const": spec.name, "description": spec.description})).chain(wait).collect();
    json!({"description": "The action to perform.", "oneOf": types})
}
