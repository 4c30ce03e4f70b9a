//! The JSON Schema for editors.

use heal_language::check::schema;

use super::read;
use crate::schema::{assert_refused, assert_valid, keys, listed_keys};
use crate::{folder_texts, shipped_folder, texts};

#[test]
fn checks_that_are_read_are_valid() {
    let shipped = folder_texts(&shipped_folder().join("checks"));
    assert_valid(&schema(), texts("checks/good").into_iter().chain(shipped));
}

#[test]
fn faults_that_an_editor_can_detect_are_refused() {
    let names = [
        "budgets",
        "missing_keys",
        "probe_http",
        "probe_grpc",
        "probe_words",
        "unknown_keys",
        "wrong_types",
        "incident_fields",
    ];
    assert_refused(&schema(), "checks/broken", &names);
}

#[test]
fn the_schema_and_the_reading_have_the_same_keys() {
    let schema = schema();
    let read_keys = |text: &str| listed_keys(&read("test", text).diagnostics);
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
