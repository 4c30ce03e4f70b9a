//! Scheduled checks: what is read, what is refused, and where.

mod bounds;
mod files;
mod schema;
mod shipped;

use std::sync::LazyLock;

use heal_engine::check::Check;
use heal_engine::playbook::Playbook;
use heal_language::check::Reading;
use heal_language::code;

use crate::catalog::catalog;
use crate::shipped_playbooks;

/// The codes that only checks have.
pub const CODES_OF_CHECKS: [&str; 3] = [code::UNROUTED_INCIDENT, code::MISSING_VARIABLE, code::WRONG_VARIABLE];

/// The shipped playbooks, against which the files of `good` and `broken` are linted.
static PLAYBOOKS: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let catalog = catalog();
    let texts = shipped_playbooks().into_iter();
    texts
        .map(|(name, text)| heal_language::playbook::read(&name, &text, &catalog).playbook.expect("a good playbook"))
        .collect()
});

fn read(stem: &str, text: &str) -> Reading {
    heal_language::check::read(stem, text, Some(&PLAYBOOKS))
}

/// A check with these keys, which has to read without a diagnostic.
fn good(keys: &str) -> Check {
    let text = format!(
        "probe: {{type: dependency, service: opa}}\nincident: {{incident_type: DEPENDENCY_DOWN, service_name: \"{{{{ target.id }}}}\"}}\n{keys}"
    );
    let reading = read("test", &text);
    assert_eq!(reading.diagnostics, [], "{text}");
    reading.check.expect("no diagnostic, so a check")
}
