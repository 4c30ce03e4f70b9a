//! Hooks: what is read, what is refused, and where; the schema for editors, and the file that ships.

use heal_hooks::{Hooks, HooksFile};
use heal_language::hooks::{Reading, schema};
use serde_json::Value;

use crate::expectation::differences;
use crate::guardrails::PLAYBOOKS;
use crate::{shipped_folder, texts};

/// Fewer broken files mean that the test did not find the folder.
const BROKEN: usize = 5;

fn read(text: &str) -> Reading {
    heal_language::hooks::read("hooks", text, Some(&PLAYBOOKS))
}

fn shipped() -> String {
    std::fs::read_to_string(shipped_folder().join("hooks.yaml")).unwrap()
}

fn json(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).expect("YAML")
}

#[test]
fn every_fault_is_found_at_its_place_and_nothing_else() {
    let texts = texts("hooks/broken");
    assert!(texts.len() >= BROKEN, "{} broken files", texts.len());
    let mut differences_of_all = Vec::new();
    for (stem, text) in &texts {
        let reading = read(text);
        assert_eq!(reading.hooks, None, "{stem}");
        differences_of_all.extend(differences(stem, text, &reading.diagnostics));
    }
    assert!(differences_of_all.is_empty(), "\n{}", differences_of_all.join("\n"));
}

#[test]
fn good_files_are_read_compile_and_go_through_the_canonical_text() {
    for (stem, text) in texts("hooks/good").into_iter().chain([("shipped".to_owned(), shipped())]) {
        let reading = read(&text);
        let differences = differences(&stem, &text, &reading.diagnostics);
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
        let file = reading.hooks.unwrap_or_else(|| panic!("{stem} has no rules"));
        let again = HooksFile::from_json(&file.to_json()).unwrap_or_else(|error| panic!("{stem}: {error}"));
        assert_eq!(again, file, "{stem}");
        assert!(!Hooks::new(file).unwrap_or_else(|error| panic!("{stem}: {error}")).file().rules.is_empty(), "{stem}");
    }
}

#[test]
fn a_file_without_rules_is_the_default() {
    for text in ["", "# nothing\n", "{}\n", "rules:\n"] {
        assert_eq!(read(text).hooks, Some(HooksFile::default()), "{text:?}");
        assert_eq!(read(text).diagnostics, [], "{text:?}");
    }
}

#[test]
fn a_text_that_may_be_a_secret_is_not_repeated() {
    let secret = "s3cr3t-of-the-sender";
    let reading = read(&format!("sources: {{generic: {{secrets: [\"{secret}\"]}}}}\n"));
    assert!(reading.errors().next().is_some());
    assert!(!format!("{:?}", reading.diagnostics).contains(secret));
}

#[test]
fn the_schema_accepts_what_is_read_and_refuses_what_an_editor_can_see() {
    jsonschema::draft202012::meta::validate(&schema()).expect("valid against the meta-schema");
    let validator = jsonschema::draft202012::new(&schema()).expect("a JSON Schema");
    for (stem, text) in texts("hooks/good").into_iter().chain([("shipped".to_owned(), shipped())]) {
        let errors: Vec<_> = validator.iter_errors(&json(&text)).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{stem}: {errors:#?}");
    }
    let broken = texts("hooks/broken");
    for name in ["incident", "not_an_object", "rules", "sources"] {
        let (_, text) = broken.iter().find(|(stem, _)| stem == name).expect(name);
        assert!(!validator.is_valid(&json(text)), "{name} is valid");
    }
}

#[test]
fn the_shipped_hooks_name_their_schema_for_editors_which_is_the_one_that_ships() {
    let first = "# yaml-language-server: $schema=hooks.schema.json";
    assert_eq!(shipped().lines().next(), Some(first));
    let text = std::fs::read_to_string(shipped_folder().join("hooks.schema.json")).unwrap();
    let written: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(written, schema(), "write it anew: heal hook schema > playbooks/hooks.schema.json");
}

/// The guarantees of reading, for every prefix of a file.
#[test]
fn any_prefix_of_a_file_is_read_to_its_end() {
    for (stem, text) in texts("hooks/good").into_iter().chain(texts("hooks/broken")) {
        for (end, _) in text.char_indices().step_by(5) {
            let reading = read(&text[..end]);
            assert_eq!(reading.hooks.is_none(), reading.errors().next().is_some(), "{stem}, {end} bytes");
            if let Some(file) = reading.hooks {
                Hooks::new(file).unwrap_or_else(|error| panic!("{stem}, {end}: {error}"));
            }
        }
    }
}
