//! A JSON Schema of playbook files, for editors: completion, documentation and the first faults while one types.
//!
//! It knows less than [`read`](super::read): no names, no needs, no templates. What it refuses, reading refuses too;
//! older keys are left out, so that an editor proposes the new ones.

use serde_json::{Map, Value, json};

use super::build::{DEFAULT_EVERY_SECONDS, DEFAULT_MAX_PARALLEL};
use super::document::DEFAULT_TIMEOUT_SECONDS;
use super::step::{ON_FAILURE, ON_UNAVAILABLE};
use crate::name::NAME_BYTES;
use heal_engine::catalog::{ActionSpec, Catalog, WAIT};
use heal_engine::limit;
use heal_engine::playbook::Retry;

mod parameters;

use parameters::{case, wait_case};

/// JSON Schema (draft 2020-12) of a playbook whose steps take the actions of `catalog`.
pub fn schema(catalog: &Catalog) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Playbook of the self-healing engine",
        "description": "Which incidents it is for, what is done about them, and how one sees that it helped.",
        "type": "object",
        "additionalProperties": false,
        "required": ["actions"],
        "properties": {
            "name": described(name(), "The file's name without its ending. Default: just that."),
            "description": {"type": "string", "description": "One sentence for the person who reads the list of playbooks."},
            "timeout_seconds": seconds(&format!(
                "The run's deadline, retries and verification included. Default: {DEFAULT_TIMEOUT_SECONDS}."
            )),
            "triggers": {
                "description": "The incidents that start this playbook where they name none themselves.",
                "type": "array",
                "items": trigger(),
            },
            "parameters_schema": {
                "description": "JSON Schema of the variables that an incident has to bring. Where it lists properties, templates know these names and no others.",
                "type": "object",
            },
            "concurrency_key": {
                "description": "A template. Runs with the same key do not live at the same time: a second incident joins the first run.",
                "type": "string",
                "minLength": 1,
            },
            "actions": {
                "description": "The steps, one after the other unless `needs` says otherwise.",
                "type": "array",
                "minItems": 1,
                "maxItems": limit::STEPS,
                "items": {"$ref": "#/$defs/action"},
            },
            "verify": {
                "description": "What one has to see after the actions to call it healed.",
                "type": "array",
                "maxItems": limit::STEPS,
                "items": {"$ref": "#/$defs/verify"},
            },
        },
        "$defs": {
            "template": template(),
            "condition": condition(),
            "retry": retry(),
            "action": action(catalog),
            "verify": verify(catalog),
        },
    })
}

fn template() -> Value {
    json!({
        "description": "A text with `{{ }}`. One expression alone keeps its type.",
        "type": "string",
        "pattern": "\\{[{%]",
    })
}

fn condition() -> Value {
    json!({
        "description": "A boolean, or one expression that gives one.",
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
                "description": "Such as TICKET_TIMEOUT, WORKER_FAILURE, SLA_VIOLATION, INCONSISTENCY, or any other name that producers use.",
                "type": "string",
                "minLength": 1,
            },
            "condition": {"$ref": "#/$defs/condition", "description": "Over the incident's fields, such as \"{{ severity != 'INFO' }}\"."},
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
                "description": format!("The first attempt included. Default: {}.", default.max_attempts),
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

/// What actions and verify entries have in common.
fn common() -> Map<String, Value> {
    let words = |choices: Vec<&str>| json!(choices);
    let keys = json!({
        "name": described(name(), "Unique in the playbook; templates read its outputs as `steps.NAME.OUTPUT`. Default: the type."),
        "condition": {"$ref": "#/$defs/condition", "description": "The step is left out where this is false."},
        "needs": {
            "description": "Names of the steps that have to end well before. Default: the step before; [] starts at once.",
            "type": "array",
            "items": name(),
        },
        "timeout_seconds": seconds("Of one attempt. Default: the action's own."),
        "on_failure": {
            "description": "Whether the run stops where the step fails. Default: stop.",
            "enum": words(ON_FAILURE.iter().map(|(word, _)| *word).collect()),
        },
        "on_unavailable": {
            "description": "What an unreachable service means. Default: skip, a success with a warning and a follow-up.",
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
        ("parameters".to_owned(), json!({"description": "What the action needs; texts may be templates.", "type": ["object", "null"]})),
        ("retry".to_owned(), json!({"$ref": "#/$defs/retry"})),
        (
            "for_each".to_owned(),
            json!({
                "description": "A list, or a template that gives one: the step is taken once for each element, which is `item`.",
                "anyOf": [{"type": "array"}, {"$ref": "#/$defs/template"}],
            }),
        ),
        (
            "max_parallel".to_owned(),
            json!({
                "description": format!("Elements of `for_each` at a time. Default: {DEFAULT_MAX_PARALLEL}."),
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
            json!({"description": "What the action needs; texts may be templates.", "type": ["object", "null"]}),
        ),
        (
            "until".to_owned(),
            json!({"$ref": "#/$defs/condition", "description": "What one hopes to see, over the entry's own outputs."}),
        ),
        ("within_seconds".to_owned(), seconds("How long one hopes, from the first look on.")),
        (
            "every_seconds".to_owned(),
            seconds(&format!("From the end of one look to the next. Default: {DEFAULT_EVERY_SECONDS}.")),
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

/// A list of constants, so that an editor shows what each action does.
fn action_type<'c>(specs: impl Iterator<Item = &'c ActionSpec>, with_wait: bool) -> Value {
    let wait = with_wait.then(|| json!({"const": WAIT, "description": "Lets `seconds` pass."}));
    let types: Vec<Value> =
        specs.map(|spec| json!({"const": spec.name, "description": spec.description})).chain(wait).collect();
    json!({"description": "What the step does.", "oneOf": types})
}
