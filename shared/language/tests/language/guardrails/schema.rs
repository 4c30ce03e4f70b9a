//! The JSON Schema for editors.

use std::collections::BTreeSet;

use heal_language::guardrails::schema;
use jsonschema::Validator;
use serde_json::Value;

use super::{actions, read};
use crate::{shipped_guardrails, texts};

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema(&actions())).expect("a JSON Schema")
}

fn json(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).expect("YAML")
}

#[test]
fn the_schema_is_a_json_schema() {
    jsonschema::draft202012::meta::validate(&schema(&actions())).expect("valid against the meta-schema");
}

#[test]
fn files_that_are_read_are_valid() {
    let validator = validator();
    let shipped = ("shipped".to_owned(), shipped_guardrails());
    for (name, text) in texts("guardrails/good").into_iter().chain([shipped]) {
        let value = json(&text);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn faults_that_an_editor_can_detect_are_refused() {
    let validator = validator();
    let texts = texts("guardrails/broken");
    for name in ["bounds", "cooldowns", "names", "not_an_object", "people", "storms", "unknown_keys", "wrong_types"] {
        let (_, text) = texts.iter().find(|(stem, _)| stem == name).expect(name);
        assert!(!validator.is_valid(&json(text)), "{name} is valid");
    }
}

/// The keys that reading lists when it reports an unknown one.
fn read_keys(text: &str) -> BTreeSet<String> {
    let diagnostics = read(text).diagnostics;
    let help = diagnostics.iter().find(|one| one.code == "unknown-key").and_then(|one| one.help.as_deref());
    let (_, list) = help.expect("help").split_once(" has the keys ").expect("a list of keys");
    list.split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn the_schema_and_the_reading_have_the_same_keys() {
    let schema = schema(&actions());
    for (pointer, text) in [
        ("", "xyzxyz: 1\n"),
        ("/properties/cooldowns/properties/restart_pod", "cooldowns: {restart_pod: {xyzxyz: 1}}\n"),
        ("/properties/budgets/items", "budgets: [{xyzxyz: 1}]\n"),
        ("/properties/repeats", "repeats: {xyzxyz: 1}\n"),
        ("/properties/approvals", "approvals: {xyzxyz: 1}\n"),
        ("/properties/storms/properties/kubernetes", "storms: {kubernetes: {xyzxyz: 1}}\n"),
        ("/properties/autonomy/items", "autonomy: [{xyzxyz: 1}]\n"),
    ] {
        let part = schema.pointer(pointer).unwrap_or_else(|| panic!("the schema has no {pointer}"));
        let keys: BTreeSet<String> = part["properties"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, read_keys(text), "{pointer}");
    }
}
