//! The table of environment variables, and everything that repeats a part of it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use heal_wiring::environment;
use serde_json::{Value, json};

const UPDATE: &str = "UPDATE_VARIABLES";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// The table rows of `docs/configuration.md` that begin with variables: the names, and the text of the other cells.
fn documented() -> BTreeMap<String, String> {
    let page = std::fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('|'));
    let is_name = |name: &str| name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let names = |cell: &str| {
        cell.split('`').map(ToOwned::to_owned).filter(|name| !name.is_empty() && is_name(name)).collect::<Vec<_>>()
    };
    rows.flat_map(|(cell, rest)| names(cell).into_iter().map(move |name| (name, rest.to_owned()))).collect()
}

#[test]
fn a_variable_is_declared_once() {
    let mut names = BTreeSet::new();
    for variable in environment::all() {
        assert!(names.insert(variable.name), "{} is declared twice", variable.name);
    }
}

#[test]
fn the_page_on_configuration_has_every_variable_with_its_default_and_no_other() {
    let mut documented = documented();
    for variable in environment::all() {
        let row = documented.remove(variable.name);
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md has no table row for {}", variable.name));
        if let Some(default) = variable.default.filter(|default| !default.is_empty()) {
            assert!(row.contains(&format!("`{default}`")), "{}: expected default {default} in {row:?}", variable.name);
        }
    }
    assert!(documented.is_empty(), "docs/configuration.md has variables that no program reads: {documented:?}");
}

/// The tests of the template are in Python and read this file.
#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the file anew")]
fn the_file_for_the_tests_of_the_template_is_up_to_date() {
    let path = root().join("tests/template/variables.json");
    let rows: Vec<Value> = environment::all()
        .map(|it| {
            json!({
                "name": it.name, "kind": it.kind.to_string(), "default": it.default, "purpose": it.purpose,
                "heal": it.readers.include_heal(), "functions": it.readers.include_functions(),
            })
        })
        .collect();
    let expected = serde_json::to_string_pretty(&rows).unwrap() + "\n";
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let observed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        observed == expected,
        "{} is out of date: {UPDATE}=1 cargo test -p heal-wiring --test environment",
        path.display()
    );
}
