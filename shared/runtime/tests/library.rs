//! Compiled playbooks as JSON, which functions are deployed with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use heal_engine::catalog::Catalog;
use heal_engine::limit;
use heal_engine::playbook::Playbook;
use heal_runtime::library::{Library, LibraryError, RouteError};
use serde_json::json;

fn playbook(name: &str) -> Playbook {
    let text = format!(
        "triggers: [{{incident_type: {}, condition: \"{{{{ severity == 'HIGH' }}}}\"}}]\nparameters_schema: {{type: object, required: [a]}}\nactions: [{{type: wait, parameters: {{seconds: 1}}}}]\n",
        name.to_uppercase()
    );
    heal_language::playbook::read(name, &text, &Catalog::default()).playbook.unwrap()
}

#[test]
fn a_library_goes_through_json_with_its_digests() {
    let library = Library::new([playbook("b"), playbook("a")]).unwrap();
    let again = Library::from_json(&library.to_json()).unwrap();
    let digests = |library: &Library| {
        library.entries().map(|entry| (entry.plan.playbook.name.clone(), entry.plan.digest.clone())).collect::<Vec<_>>()
    };
    assert_eq!(digests(&again), digests(&library));
    assert_eq!(again.names().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn json_that_is_not_a_library_is_rejected() {
    for wrong in ["", "{}", "[{}]"] {
        assert!(matches!(Library::from_json(wrong).unwrap_err(), LibraryError::Unreadable(_)), "{wrong}");
    }
    let twice = serde_json::to_string(&[playbook("a"), playbook("a")]).unwrap();
    assert!(matches!(Library::from_json(&twice).unwrap_err(), LibraryError::Twice { .. }));
}

/// The faults of `variables` under `schema`.
fn faults(schema: serde_json::Value, variables: serde_json::Value) -> Vec<String> {
    let mut playbook = serde_json::to_value(playbook("a")).unwrap();
    playbook["parameters_schema"] = schema;
    let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
    let serde_json::Value::Object(variables) = variables else { panic!("not an object") };
    match library.get("a").unwrap().check(&variables) {
        Ok(()) => Vec::new(),
        Err(RouteError::Variables { faults, .. }) => faults,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_compiled_schema_that_would_fill_the_memory_is_rejected() {
    let mut definitions = serde_json::Map::new();
    for index in 0..14 {
        let next = json!({"$ref": format!("#/$defs/d{}", index + 1)});
        definitions.insert(format!("d{index}"), json!({"anyOf": [next, next]}));
    }
    definitions.insert("d14".to_owned(), json!({}));
    let mut hostile = serde_json::to_value(playbook("a")).unwrap();
    hostile["parameters_schema"] = json!({"$ref": "#/$defs/d0", "$defs": definitions});
    let error = Library::new([serde_json::from_value(hostile).unwrap()]).unwrap_err();
    assert!(error.to_string().contains("more than 2000 subschemas"), "{error}");
}

#[test]
fn the_check_of_an_incident_is_bounded_by_schema_and_variables_together() {
    let alternatives: Vec<_> = (0..400).map(|index| json!({"const": index})).collect();
    let schema = json!({"properties": {"list": {"items": {"anyOf": alternatives}}}});
    let list = |count: usize| json!({"list": vec!["x"; count]});
    let described = faults(schema.clone(), list(100));
    assert_eq!(described.len(), limit::DESCRIBED_FAULTS, "{described:?}");
    assert!(described[0].starts_with("/list/0: none of the alternatives fits"), "{}", described[0]);
    let brief = faults(schema.clone(), list(2_000));
    assert_eq!(brief, ["does not fit the playbook's `parameters_schema`; it is too large to say where"]);
    let refused = faults(schema, list(60_000));
    assert!(refused[0].contains("is too much for the playbook's `parameters_schema`"), "{refused:?}");
}
