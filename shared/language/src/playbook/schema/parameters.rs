//! The parameters of each action, for the steps of its type.

use serde_json::{Value, json};

use heal_engine::catalog::{ActionSpec, WAIT};
use heal_engine::limit;

pub(super) fn case(spec: &ActionSpec) -> Value {
    let needed = spec.parameters.get("required").and_then(Value::as_array).into_iter().flatten();
    let needed: Vec<&Value> = needed.filter(|name| !is_inherited(spec, name)).collect();
    let required: &[&str] = if needed.is_empty() { &[] } else { &["parameters"] };
    let parameters = parameters(spec, &needed);
    let parameters = if needed.is_empty() { json!({"anyOf": [parameters, {"type": "null"}]}) } else { parameters };
    json!({
        "if": {"properties": {"type": {"const": spec.name}}, "required": ["type"]},
        "then": {"properties": {"parameters": parameters}, "required": required},
    })
}

fn parameters(spec: &ActionSpec, needed: &[&Value]) -> Value {
    let mut schema = spec.parameters.clone();
    if let Value::Object(keys) = &mut schema {
        keys.remove("$schema");
        keys.insert("required".to_owned(), json!(needed));
        // Inherited parameters need not be written, so that none of the ways may be seen here.
        for keyword in ["anyOf", "oneOf"] {
            let ways = keys.get(keyword).and_then(Value::as_array).into_iter().flatten();
            let names = ways.flat_map(|way| way.get("required").and_then(Value::as_array).into_iter().flatten());
            if names.into_iter().any(|name| is_inherited(spec, name)) {
                keys.remove(keyword);
            }
        }
        // References start at the action's own schema, not at the playbook's.
        if keys.contains_key("$defs") {
            keys.insert("$id".to_owned(), format!("urn:action:{}", spec.name).into());
        }
        if let Some(Value::Object(properties)) = keys.get_mut("properties") {
            properties.values_mut().for_each(or_template);
        }
    }
    schema
}

fn is_inherited(spec: &ActionSpec, name: &Value) -> bool {
    name.as_str().is_some_and(|name| spec.inherits.contains(&name))
}

/// A value, or a template that becomes one; inside lists and objects too.
fn or_template(schema: &mut Value) {
    let Value::Object(keys) = schema else { return };
    if let Some(Value::Object(properties)) = keys.get_mut("properties") {
        properties.values_mut().for_each(or_template);
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = keys.get_mut(inner) {
            or_template(inner);
        }
    }
    let description = keys.remove("description");
    let mut either = json!({"anyOf": [Value::Object(std::mem::take(keys)), {"type": "string", "pattern": "\\{[{%]"}]});
    if let (Some(text), Value::Object(either)) = (description, &mut either) {
        either.insert("description".to_owned(), text);
    }
    *schema = either;
}

pub(super) fn wait_case() -> Value {
    let seconds = json!({
        "description": "How long to wait.",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": limit::DURATION_SECONDS},
            {"$ref": "#/$defs/template"},
        ],
    });
    json!({
        "if": {"properties": {"type": {"const": WAIT}}, "required": ["type"]},
        "then": {
            "required": ["parameters"],
            "properties": {
                "for_each": false,
                "parameters": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["seconds"],
                    "properties": {"seconds": seconds},
                },
            },
        },
    })
}
