//! Scheduled checks: what is read, what is refused and where, and what follows from a look.

mod bounds;
mod decisions;
mod files;
mod laws;
mod schema;
mod shipped;

use std::sync::LazyLock;

use heal_engine::Timestamp;
use heal_engine::check::{Check, Compiled, Failing};
use heal_engine::playbook::Playbook;
use heal_language::check::Reading;
use heal_language::code;

use crate::catalog::catalog;
use crate::{folder_texts, shipped_folder};

/// The faults that only a check can have.
pub const CODES_OF_CHECKS: [&str; 3] = [code::UNROUTED_INCIDENT, code::MISSING_VARIABLE, code::WRONG_VARIABLE];

const T0: u64 = 1_800_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(T0 + seconds * 1_000)
}

/// The shipped playbooks, which the files of `good` and `broken` are linted along with.
static PLAYBOOKS: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let catalog = catalog();
    let texts = folder_texts(&shipped_folder()).into_iter();
    texts
        .map(|(name, text)| heal_language::playbook::read(&name, &text, &catalog).playbook.expect("a good playbook"))
        .collect()
});

fn read(stem: &str, text: &str) -> Reading {
    heal_language::check::read(stem, text, Some(&PLAYBOOKS))
}

/// A check with some keys of its own, which has to be without fault.
fn compiled(keys: &str) -> Compiled {
    Compiled::new(good(keys)).unwrap()
}

fn good(keys: &str) -> Check {
    let text = format!(
        "probe: {{type: dependency, service: opa}}\nincident: {{incident_type: DEPENDENCY_DOWN, service_name: \"{{{{ target.id }}}}\"}}\n{keys}"
    );
    let reading = read("test", &text);
    assert_eq!(reading.diagnostics, [], "{text}");
    reading.check.expect("no diagnostic, so a check")
}

fn failing(id: &str) -> Failing {
    let fields = serde_json::json!({"id": id, "service": id});
    Failing { id: id.to_owned(), fields: fields.as_object().unwrap().clone(), reason: format!("{id} is not well") }
}
