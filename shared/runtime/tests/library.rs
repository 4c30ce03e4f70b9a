//! Compiled playbooks as JSON, which functions are deployed with.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use heal_engine::catalog::Catalog;
use heal_engine::playbook::Playbook;
use heal_runtime::library::{Library, LibraryError};

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
