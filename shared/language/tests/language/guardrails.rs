//! Guardrails: what is read, what is refused, and where.

mod bounds;
mod files;
mod schema;
mod shipped;

use std::sync::LazyLock;

use heal_engine::catalog::{ActionSpec, Catalog};
use heal_engine::playbook::Playbook;
use heal_language::code;
use heal_language::guardrails::Reading;

use crate::catalog::catalog;
use crate::shipped_playbooks;

/// The codes that only guardrails have.
pub const CODES_OF_GUARDRAILS: [&str; 4] =
    [code::UNKNOWN_SERVICE, code::UNKNOWN_PLAYBOOK, code::UNREACHABLE_RULE, code::NO_BOUND];

pub(crate) static PLAYBOOKS: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let catalog = catalog();
    let read = |(name, text): (String, String)| heal_language::playbook::read(&name, &text, &catalog);
    shipped_playbooks().into_iter().map(read).map(|reading| reading.playbook.expect("a good playbook")).collect()
});

/// The actions with the services that they call.
pub(crate) fn actions() -> Catalog {
    let service = |name: &str| match name {
        "check_worker_health" | "restart_pod" => "kubernetes",
        "reallocate_ticket" | "update_ticket_status" => "execution-ticket-service",
        _ => "orchestrator",
    };
    Catalog::new(catalog().iter().map(|spec| ActionSpec { service: service(spec.name), ..spec.clone() }))
}

fn read(text: &str) -> Reading {
    heal_language::guardrails::read("guardrails", text, &actions(), Some(&PLAYBOOKS), Some(&["tickets_up".to_owned()]))
}

/// The codes of the diagnostics, in the order of the text.
fn codes(text: &str) -> Vec<&'static str> {
    read(text).diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}
