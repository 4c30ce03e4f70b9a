//! Reading files: the models, the diagnostics and their places, and the schemas for editors.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod catalog;
mod check;
mod expectation;
mod guardrails;
mod hooks;
mod notify;
mod playbook;
mod schema;

use std::path::{Path, PathBuf};

/// The playbooks that ship.
fn shipped_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

/// Stems and texts of the playbooks that ship.
fn shipped_playbooks() -> Vec<(String, String)> {
    let texts = folder_texts(&shipped_folder());
    let others = [heal_language::guardrails::FILE_STEM, heal_language::hooks::FILE_STEM];
    texts.into_iter().filter(|(stem, _)| !others.contains(&stem.as_str())).collect()
}

fn shipped_guardrails() -> String {
    std::fs::read_to_string(shipped_folder().join("guardrails.yaml")).unwrap()
}

/// The YAML files of a folder of `tests`: stems and texts, in the order of their names.
fn texts(folder: &str) -> Vec<(String, String)> {
    folder_texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder))
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
