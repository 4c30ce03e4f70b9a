//! A JSON Schema of `guardrails.yaml`, for editors.
//!
//! It checks less than [`read`](super::read): no playbooks, no templates, and not whether a rule can fire. Reading refuses whatever the
//! schema refuses.

use std::collections::BTreeSet;

use heal_engine::catalog::{Catalog, Safety};
use heal_guard::{Demote, IGNORE, KEY_NAMES, LiveBounds, Repeats, Weekday, limit};
use serde_json::{Map, Value, json};

use super::people::LEVELS;
use super::scope::KEYS_OF_MARK;
use super::windows::KINDS;
use crate::name::NAME_BYTES;

/// JSON Schema (draft 2020-12) of the guardrails over the actions of `catalog`.
pub fn schema(catalog: &Catalog) -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Guardrails of the self-healing engine",
        "description": "The bounds of what it does by itself. Every key has a safe default, so an empty file is safe.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "cooldowns": cooldowns(catalog),
            "budgets": {
                "description": "At most so many effects in any window of time.",
                "type": ["array", "null"],
                "maxItems": limit::BUDGETS,
                "items": budget(catalog),
            },
            "repeats": repeats(),
            "approvals": approvals(),
            "autonomy": {
                "description": "How far a playbook may act by itself; one rule a playbook. Default: auto.",
                "type": ["array", "null"],
                "items": autonomy(),
            },
            "admission": admission(catalog),
            "windows": {
                "description": "Times in which effects are held, denied, or need an approval.",
                "type": ["array", "null"],
                "maxItems": limit::WINDOWS,
                "items": window(catalog),
            },
            "scope": {
                "description": format!(
                    "Which targets are in reach, by what is written on them. A target with `{IGNORE}` never is."
                ),
                "type": ["array", "null"],
                "maxItems": limit::SCOPE_RULES,
                "items": scope(catalog),
            },
            "storms": storms(catalog),
            "dependencies": {
                "description": "What waits while something that it depends on is sick.",
                "type": ["array", "null"],
                "maxItems": limit::DEPENDENCIES,
                "items": dependency(catalog),
            },
        },
    })
}

/// Completion proposes the actions that change something; the others are known too.
fn cooldowns(catalog: &Catalog) -> Value {
    let rule = |description: &str| {
        json!({
            "description": description,
            "type": "object",
            "additionalProperties": false,
            "required": ["seconds"],
            "properties": {
                "seconds": whole("Seconds from the end of an effect; 0: no cooldown.", 0, limit::WINDOW_SECONDS),
            },
        })
    };
    let properties: Map<String, Value> = catalog
        .iter()
        .map(|spec| {
            let description = match spec.safety {
                Safety::ReadOnly => format!("{} It only reads, so a cooldown has no effect.", spec.description),
                Safety::Idempotent | Safety::Probe | Safety::Unknown => spec.description.to_owned(),
            };
            (spec.name.to_owned(), rule(&description))
        })
        .collect();
    json!({
        "description": "How long an action leaves a target alone after an effect, where the action's own cooldown is not wanted.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

/// The keys that say which effects a rule is for.
fn selector(catalog: &Catalog) -> Value {
    let actions: Vec<&str> = catalog.iter().map(|spec| spec.name).collect();
    let services: BTreeSet<&str> = catalog.iter().map(|spec| spec.service).collect();
    json!({
        "actions": names("The actions that it is for. Default: all.", &json!({"enum": actions})),
        "playbooks": names("The playbooks whose runs it is for. Default: all.", &json!({"type": "string", "minLength": 1})),
        "services": names("The services whose actions it is for. Default: all.", &json!({"enum": services})),
    })
}

/// A rule's object: its own `properties`, and the keys of its selector.
fn rule(catalog: &Catalog, required: &[&str], mut properties: Value) -> Value {
    if let (Value::Object(properties), Value::Object(selector)) = (&mut properties, selector(catalog)) {
        properties.extend(selector);
    }
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

fn name(description: &str) -> Value {
    json!({"description": description, "type": "string", "pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$")})
}

fn budget(catalog: &Catalog) -> Value {
    let mut budget = rule(
        catalog,
        &["name", "max"],
        json!({
            "name": name("Unique; a renamed budget starts to count anew."),
            "key": {
                "description": format!(
                    "What is counted apart: a template over {}. Default: one counter for all.", KEY_NAMES.join(", ")
                ),
                "type": "string",
                "minLength": 1,
            },
            "max": whole("Effects that there may be.", 1, limit::BUDGET_MAX.into()),
            "max_percent": whole(
                "Effects that there may be, in percent of the pods of the controller or of the tickets of the workflow, where that is more than `max`.",
                1,
                limit::PERCENT.into(),
            ),
            "window_seconds": whole("The sliding window.", 1, limit::WINDOW_SECONDS),
            "concurrent": {
                "description": "Counts the effects in flight, each until its attempt ends, in place of those in a window.",
                "type": "boolean",
            },
        }),
    );
    if let Value::Object(budget) = &mut budget {
        let (window, concurrent) = (json!({"required": ["window_seconds"]}), json!({"required": ["concurrent"]}));
        budget.insert("anyOf".to_owned(), json!([window, concurrent]));
    }
    budget
}

fn window(catalog: &Catalog) -> Value {
    let time = |description: &str| json!({"description": description, "type": "string", "pattern": "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"});
    let moment = |description: &str| json!({"description": description, "type": "string", "minLength": 1});
    let properties = json!({
        "name": name("Unique."),
        "kind": {
            "description": "hold: runs wait until it closes · deny: effects are denied · ask: effects need an approval.",
            "enum": KINDS.map(|(word, _)| word),
        },
        "days": {
            "description": "The days on which it opens. Default: every day.",
            "type": "array",
            "minItems": 1,
            "items": {"enum": Weekday::ALL.map(|(word, _)| word)},
        },
        "from": time("The local time at which it opens, such as \"22:00\"."),
        "to": time("The local time at which it closes, on the next day if it is not after `from`."),
        "zone": {"description": "The time zone, such as Europe/Berlin.", "type": "string", "minLength": 1},
        "start": moment("When a single window opens, such as \"2027-01-15T22:00:00+01:00\"; local in `zone` without an offset."),
        "end": moment("When a single window closes."),
        "approvers": {
            "description": "Groups or identities that may approve, of a window that asks. Default: everybody but the requester.",
            "type": "array",
            "maxItems": limit::MEMBERS,
            "items": {"type": "string", "minLength": 1},
        },
        "reason": {"description": "Why; the records have it.", "type": "string", "minLength": 1},
    });
    rule(catalog, &["name", "kind"], properties)
}

fn scope(catalog: &Catalog) -> Value {
    let mark = |description: &str| {
        let text = || json!({"description": "KEY or KEY=VALUE.", "type": "string", "maxLength": limit::MARK_BYTES});
        let properties: Map<String, Value> = KEYS_OF_MARK.map(|key| (key.to_owned(), text())).into_iter().collect();
        json!({
            "description": description,
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": properties,
        })
    };
    let properties = json!({
        "opt_out": mark("A target with this mark is left alone."),
        "opt_in": mark("A target without this mark is left alone."),
    });
    rule(catalog, &[], properties)
}

fn repeats() -> Value {
    let Repeats { escalate_at, window_seconds } = Repeats::default();
    json!({
        "description": "When the same playbook on the same target is handed to a person.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "escalate_at": whole(
                &format!("The run of this number in the window ends ESCALATED before any effect. Default: {escalate_at}."),
                limit::REPEATS_LEAST.into(),
                limit::REPEATS.into(),
            ),
            "window_seconds": whole(
                &format!("Default: {window_seconds}."),
                limit::REPEATS_WINDOW_LEAST_SECONDS,
                limit::WINDOW_SECONDS,
            ),
        },
    })
}

fn approvals() -> Value {
    json!({
        "description": "Who may approve.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "groups": {
                "description": "Groups of people, by name.",
                "type": ["object", "null"],
                "maxProperties": limit::GROUPS,
                "propertyNames": {"pattern": format!("^[a-z0-9_-]{{1,{NAME_BYTES}}}$")},
                "additionalProperties": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": limit::MEMBERS,
                    "items": {
                        "description": "local:USER of the operating system, or iam:SENDER as SQS names the caller.",
                        "type": "string",
                        "maxLength": limit::IDENTITY_BYTES,
                        "pattern": "^(local|iam):.*\\S",
                    },
                },
            },
        },
    })
}

fn autonomy() -> Value {
    let demote = Demote::default();
    json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["playbook", "level"],
        "properties": {
            "playbook": {"type": "string", "minLength": 1},
            "level": {
                "description": "off: no run · shadow: decides, and changes nothing · approve: a person approves first · auto: acts.",
                "enum": LEVELS.map(|(word, _)| word),
            },
            "demote": {
                "description": "When the level goes down by itself: auto, approve, shadow.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "below_percent": whole(
                        &format!("Fewer healed than this, in percent; 0: never. Default: {}.", demote.below_percent),
                        0,
                        limit::PERCENT.into(),
                    ),
                    "of_last": whole(
                        &format!("Ended live runs that are counted. Default: {}.", demote.of_last),
                        limit::DEMOTE_LEAST.into(),
                        limit::DEMOTE_MOST.into(),
                    ),
                },
            },
        },
    })
}

fn admission(catalog: &Catalog) -> Value {
    let LiveBounds { per_playbook, per_service, .. } = LiveBounds::default();
    let runs = |description: &str| whole(description, 1, limit::LIVE_MAX.into());
    let services: Map<String, Value> = catalog
        .iter()
        .map(|spec| (spec.service.to_owned(), runs("Live runs that may change something at this service.")))
        .collect();
    json!({
        "description": "How many runs may be live at the same time; others wait, and their deadline does not run.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": {
            "live": {
                "type": ["object", "null"],
                "additionalProperties": false,
                "properties": {
                    "per_playbook": runs(&format!("Live runs of one playbook. Default: {per_playbook}.")),
                    "per_service": runs(&format!(
                        "Live runs that may change something at one service. Default: {per_service}."
                    )),
                    "playbooks": {
                        "description": "Playbooks with a bound of their own.",
                        "type": ["object", "null"],
                        "maxProperties": limit::LIVE_NAMES,
                        "additionalProperties": runs("Live runs of this playbook."),
                    },
                    "services": {
                        "description": "Services with a bound of their own.",
                        "type": ["object", "null"],
                        "additionalProperties": false,
                        "properties": services,
                    },
                },
            },
        },
    })
}

fn storms(catalog: &Catalog) -> Value {
    let rule = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "targets": whole("Distinct targets in a window that are a storm; 0: never. Default: 5.", 0, limit::STORM_TARGETS.into()),
            "window_seconds": whole("Default: 300.", limit::STORM_WINDOW_LEAST_SECONDS, limit::STORM_WINDOW_SECONDS),
            "quiet_seconds": whole(
                "Seconds without a new target after which the storm is over, at least the window. Default: 600.",
                limit::STORM_WINDOW_LEAST_SECONDS,
                limit::STORM_WINDOW_SECONDS,
            ),
            "trickle": whole("Effects that go on in each window. Default: 1.", 0, limit::STORM_TRICKLE.into()),
        },
    });
    let services: BTreeSet<&str> = catalog.iter().map(|spec| spec.service).collect();
    let properties: Map<String, Value> = services.into_iter().map(|name| (name.to_owned(), rule.clone())).collect();
    json!({
        "description": "When so many targets of a service are sick that healing it is held but for a trickle. Default: kubernetes only.",
        "type": ["object", "null"],
        "additionalProperties": false,
        "properties": properties,
    })
}

fn dependency(catalog: &Catalog) -> Value {
    let mut dependency = rule(
        catalog,
        &["name"],
        json!({
            "name": name("Unique; `heal halts` shows it."),
            "breaker": text("The service whose circuit breaker is open while the dependency is sick."),
            "check": name("The scheduled check that has raised an incident about a target which still fails while the dependency is sick."),
        }),
    );
    if let Value::Object(dependency) = &mut dependency {
        dependency.insert("anyOf".to_owned(), json!([{"required": ["breaker"]}, {"required": ["check"]}]));
    }
    dependency
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string", "minLength": 1})
}

fn names(description: &str, items: &Value) -> Value {
    json!({"description": description, "type": "array", "minItems": 1, "maxItems": limit::NAMES, "items": items})
}

fn whole(description: &str, least: u64, most: u64) -> Value {
    json!({"description": description, "type": "integer", "minimum": least, "maximum": most})
}
