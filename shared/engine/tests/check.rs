//! Scheduled checks: what is read, what is refused and where, and what follows from a look.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

#[path = "fixtures/catalog.rs"]
mod catalog;
#[path = "fixtures/expectation.rs"]
mod expectation;

#[path = "check/bounds.rs"]
mod bounds;
#[path = "check/decisions.rs"]
mod decisions;
#[path = "check/files.rs"]
mod files;
#[path = "check/laws.rs"]
mod laws;
#[path = "check/schema.rs"]
mod schema;
#[path = "check/shipped.rs"]
mod shipped;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use heal_engine::Timestamp;
use heal_engine::check::{Check, Compiled, Failing, Reading};
use heal_engine::playbook::Playbook;

const T0: u64 = 1_800_000_000_000;

fn at(seconds: u64) -> Timestamp {
    Timestamp(T0 + seconds * 1_000)
}

/// YAML files of a folder with their texts, in the order of their names.
fn folder_texts(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths =
        entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let mut texts: Vec<_> = paths
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap()))
        .collect();
    texts.sort();
    texts
}

fn texts(folder: &str) -> Vec<(String, String)> {
    folder_texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checks").join(folder))
}

fn shipped_playbooks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

/// The shipped playbooks, which the files of `good` and `broken` are linted along with.
static PLAYBOOKS: LazyLock<Vec<Playbook>> = LazyLock::new(|| {
    let catalog = catalog::catalog();
    let texts = folder_texts(&shipped_playbooks()).into_iter();
    texts
        .map(|(name, text)| heal_engine::playbook::read(&name, &text, &catalog).playbook.expect("a good playbook"))
        .collect()
});

fn read(stem: &str, text: &str) -> Reading {
    heal_engine::check::read(stem, text, Some(&PLAYBOOKS))
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
