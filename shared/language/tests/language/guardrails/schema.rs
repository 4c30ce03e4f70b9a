//! The JSON Schema for editors.

use heal_language::guardrails::schema;

use super::{actions, read};
use crate::schema::{assert_refused, assert_valid, keys, listed_keys};
use crate::{shipped_guardrails, texts};

#[test]
fn files_that_are_read_are_valid() {
    let shipped = ("shipped".to_owned(), shipped_guardrails());
    assert_valid(&schema(&actions()), texts("guardrails/good").into_iter().chain([shipped]));
}

#[test]
fn faults_that_an_editor_can_detect_are_refused() {
    let names = [
        "bounds",
        "cooldowns",
        "names",
        "not_an_object",
        "people",
        "scope",
        "storms",
        "unknown_keys",
        "windows",
        "wrong_types",
    ];
    assert_refused(&schema(&actions()), "guardrails/broken", &names);
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
        ("/properties/admission", "admission: {xyzxyz: 1}\n"),
        ("/properties/admission/properties/live", "admission: {live: {xyzxyz: 1}}\n"),
        ("/properties/autonomy/items/properties/demote", "autonomy: [{demote: {xyzxyz: 1}}]\n"),
        ("/properties/windows/items", "windows: [{xyzxyz: 1}]\n"),
        ("/properties/scope/items", "scope: [{xyzxyz: 1}]\n"),
        ("/properties/scope/items/properties/opt_out", "scope: [{opt_out: {xyzxyz: 1}}]\n"),
    ] {
        let part = schema.pointer(pointer).unwrap_or_else(|| panic!("the schema has no {pointer}"));
        assert_eq!(keys(part), listed_keys(&read(text).diagnostics), "{pointer}");
    }
}
