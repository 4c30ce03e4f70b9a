//! Checks `parameters_schema`: a JSON Schema, usable without a network.

use heal_engine::limit;
use jsonschema::PatternOptions;
use jsonschema::paths::Location;
use serde_json::Value;

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Entry, Kind, Node};

/// The schema; `None` and findings if it is not usable.
pub(super) fn check(node: &Node, report: &mut Report) -> Option<Value> {
    if !matches!(node.kind, Kind::Object(_)) {
        let message = format!("`parameters_schema` has to be a JSON Schema, an object, found {}", node.brief());
        report.add(Finding::error(code::WRONG_TYPE, node.span, message));
        return None;
    }
    let schema = node.to_json();
    let kind = schema.get("type").and_then(Value::as_str);
    if let (Some(kind), Some(place)) = (kind.filter(|kind| *kind != "object"), node.child("type")) {
        let message = format!("`parameters_schema` has to describe an object, its type is {}", quoted(kind));
        report.add(Finding::error(code::INVALID_SCHEMA, place.span, message).help("write `type: object`"));
    }
    let is_local = references(node, report);
    // Before anything else reads the schema: a validator of a small schema can fill the memory.
    if is_local && let Err(error) = heal_engine::schema::cost(&schema) {
        let finding = Finding::error(
            code::INVALID_SCHEMA,
            node.span,
            format!("this JSON Schema cannot be used: {}", quoted(&error.to_string())),
        );
        report.add(finding);
        return None;
    }
    let mut is_valid = true;
    for error in jsonschema::draft202012::meta::validator().iter_errors(&schema) {
        is_valid = false;
        let message = format!("not a JSON Schema: {}", quoted(&error.to_string()));
        report.add(Finding::error(code::INVALID_SCHEMA, place(node, error.instance_path()), message));
    }
    if !is_local || !is_valid {
        return None;
    }
    // A pattern of this engine takes linear time, so it has neither look-around nor back-references.
    let patterns = PatternOptions::regex().size_limit(limit::PATTERN_BYTES);
    if let Err(error) = jsonschema::draft202012::options().with_pattern_options(patterns).build(&schema) {
        let message = format!("this JSON Schema cannot be used: {}", quoted(&error.to_string()));
        report.add(Finding::error(code::INVALID_SCHEMA, place(node, error.schema_path()), message));
        return None;
    }
    Some(schema)
}

/// The span of the deepest part of the schema on `path` that the file has.
fn place(node: &Node, path: &Location) -> Span {
    let mut place = node;
    for segment in path {
        match place.child(&segment.to_string()) {
            Some(child) => place = child,
            None => break,
        }
    }
    place.span
}

/// Whether all references stay inside the file. Others are refused: they would have to be fetched when an incident arrives.
fn references(node: &Node, report: &mut Report) -> bool {
    match &node.kind {
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => true,
        Kind::List(items) => items.iter().filter(|item| !references(item, report)).count() == 0,
        Kind::Object(entries) => entries.iter().filter(|entry| !reference(entry, report)).count() == 0,
    }
}

fn reference(entry: &Entry, report: &mut Report) -> bool {
    match (entry.key.as_str(), &entry.value.kind) {
        ("$ref" | "$dynamicRef", Kind::Text(target)) if !target.starts_with('#') => {
            let message = format!("the reference `{}` points outside this file", quoted(target));
            let finding = Finding::error(code::INVALID_SCHEMA, entry.value.span, message);
            report.add(finding.help("use `$defs` and `#/$defs/…`"));
            false
        }
        _ => references(&entry.value, report),
    }
}
