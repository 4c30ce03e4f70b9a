//! The playbook language: what is read, what is refused, and where.

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

#[path = "playbook/bounds.rs"]
mod bounds;
#[path = "playbook/files.rs"]
mod files;
#[path = "playbook/meaning.rs"]
mod meaning;
#[path = "playbook/properties.rs"]
mod properties;
#[path = "playbook/runs.rs"]
mod runs;
#[path = "playbook/schema.rs"]
mod schema;
#[path = "playbook/shipped.rs"]
mod shipped;

use std::path::{Path, PathBuf};

use catalog::catalog;
use heal_engine::playbook::{Playbook, Reading};

/// Files of a folder of `tests/playbooks` with their texts, in the order of their names.
fn texts(folder: &str) -> Vec<(String, String)> {
    folder_texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/playbooks").join(folder))
}

fn shipped_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

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

fn read(stem: &str, text: &str) -> Reading {
    heal_engine::playbook::read(stem, text, &catalog())
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
