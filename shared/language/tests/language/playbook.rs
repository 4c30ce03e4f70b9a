//! Playbooks: what is read, what is refused, and where.

mod bounds;
mod files;
mod meaning;
mod properties;
mod runs;
mod schema;
mod shipped;

use heal_engine::playbook::Playbook;
use heal_language::playbook::Reading;

use crate::catalog::catalog;

fn read(stem: &str, text: &str) -> Reading {
    heal_language::playbook::read(stem, text, &catalog())
}

/// The playbook of a text that has to be without fault.
fn good(text: &str) -> Playbook {
    let reading = read("test", text);
    assert_eq!(reading.diagnostics, [], "{text}");
    reading.playbook.expect("no diagnostic, so a playbook")
}

/// The codes of a text's faults in its order.
fn codes(text: &str) -> Vec<&'static str> {
    read("test", text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}
