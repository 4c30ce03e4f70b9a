//! The JSON Schema for editors.

use std::collections::BTreeSet;

use heal_language::check::schema;
use jsonschema::Validator;
use serde_json::Value;

use super::read;
use crate::{folder_texts, shipped_folder, texts};

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).expect("a JSON Schema")
}

fn json(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).expect("YAML")
}

#[test]
fn the_schema_is_a_json_schema() {
    jsonschema::draft202012::meta::validate(&schema()).expect("valid against the meta-schema");
}

#[test]
fn checks_that_are_read_are_valid() {
    let validator = validator();
    for (name, text) in texts("checks/good").into_iter().chain(folder_texts(&shipped_folder().join("checks"))) {
        let value = json(&text);
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
    }
}

#[test]
fn what_an_editor_can_know_is_refused() {
    let validator = validator();
    let texts = texts("checks/broken");
    for name in [
        "budgets",
        "missing_keys",
        "probe_http",
        "probe_grpc",
        "probe_words",
        "unknown_keys",
        "wrong_types",
        "incident_fields",
    ] {
        let (_, text) = texts.iter().find(|(stem, _)| stem == name).expect(name);
        assert!(!validator.is_valid(&json(text)), "{name} is valid");
    }
}

fn keys(schema: &Value) -> BTreeSet<String> {
    schema["properties"].as_object().expect("properties").keys().cloned().collect()
}

/// The keys that reading lists where it finds an unknown one.
fn read_keys(text: &str) -> BTreeSet<String> {
    let diagnostics = read("test", text).diagnostics;
    let help = diagnostics.iter().find(|one| one.code == "unknown-key").and_then(|one| one.help.as_deref());
    let (_, list) = help.expect("help").split_once(" has the keys ").expect("a list of keys");
    list.split(", ").map(ToOwned::to_owned).collect()
}

#[test]
fn the_schema_and_the_reading_have_the_same_keys() {
    let schema = schema();
    assert_eq!(keys(&schema), read_keys("xyzxyz: 1\n"));
    for case in schema["$defs"]["probe"]["oneOf"].as_array().unwrap() {
        let kind = case["properties"]["type"]["const"].as_str().unwrap();
        assert_eq!(keys(case), read_keys(&format!("probe: {{type: {kind}, xyzxyz: 1}}\n")), "{kind}");
        for (key, value) in case["properties"].as_object().unwrap() {
            assert!(value.get("description").is_some(), "{kind}.{key}");
        }
        for key in case["required"].as_array().unwrap() {
            assert!(case["properties"].get(key.as_str().unwrap()).is_some(), "{kind}.{key}");
        }
    }
}
