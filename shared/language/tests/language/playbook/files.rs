//! Files whose comments list the expected diagnostics.

use heal_engine::Plan;

use super::read;
use crate::check::CODES_OF_CHECKS;
use crate::expectation::{Expectation, differences};
use crate::guardrails::CODES_OF_GUARDRAILS;
use crate::texts;

/// Fewer broken playbooks mean that the test did not find the folder.
const BROKEN: usize = 30;

#[test]
fn every_fault_is_found_at_its_place_and_nothing_else() {
    let texts = texts("playbooks/broken");
    assert!(texts.len() >= BROKEN, "{} broken playbooks", texts.len());
    let mut differences_of_all = Vec::new();
    for (stem, text) in &texts {
        let reading = read(stem, text);
        assert!(reading.errors().next().is_some(), "{stem} has no error");
        assert_eq!(reading.playbook, None, "{stem}");
        differences_of_all.extend(differences(stem, text, &reading.diagnostics));
    }
    assert!(differences_of_all.is_empty(), "\n{}", differences_of_all.join("\n"));
}

#[test]
fn good_playbooks_are_read_and_can_be_compiled() {
    for (stem, text) in texts("playbooks/good") {
        let reading = read(&stem, &text);
        let differences = differences(&stem, &text, &reading.diagnostics);
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
        let playbook = reading.playbook.unwrap_or_else(|| panic!("{stem} has no playbook"));
        let json = serde_json::to_string(&playbook).unwrap();
        assert_eq!(serde_json::from_str::<heal_engine::playbook::Playbook>(&json).unwrap(), playbook, "{stem}");
        Plan::compile(playbook).unwrap_or_else(|error| panic!("{stem}: {error}"));
    }
}

#[test]
fn every_code_is_a_fault_of_some_broken_playbook() {
    let source = include_str!("../../../src/code.rs");
    let codes = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1));
    let texts = texts("playbooks/broken");
    let found: Vec<&str> = texts.iter().flat_map(|(_, text)| Expectation::all_of(text)).map(|one| one.code).collect();
    // `bounds` generates the large files that the others need; a group is unknown only beside guardrails.
    let missing: Vec<&str> = codes
        .filter(|code| !found.contains(code))
        .filter(|code| !["too-large", "yaml-budget", "unknown-group"].contains(code))
        .filter(|code| !CODES_OF_CHECKS.contains(code) && !CODES_OF_GUARDRAILS.contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_group_that_the_guardrails_do_not_have_is_found_at_its_place() {
    let text = "approval: {approvers: [oncal, 'local:ann']}\nactions:\n  - type: wait\n    approval:\n      approvers:\n        - people\n        - oncall\n";
    let groups = std::collections::BTreeMap::from([("oncall".to_owned(), vec!["local:ann".to_owned()])]);
    let found = heal_language::playbook::check_groups("test", text, &groups);
    let places: Vec<_> = found.iter().map(|it| (it.line, it.column, it.code)).collect();
    assert_eq!(places, [(1, 24, "unknown-group"), (6, 11, "unknown-group")], "{found:?}");
    assert!(found[0].message.contains("there is no group `oncal`"), "{found:?}");
    assert_eq!(heal_language::playbook::check_groups("test", "a: [", &groups), []);
}

#[test]
fn a_diagnostic_is_json_with_its_place() {
    let reading = read("test", "actions:\n  - type: restart_pods\n");
    let json = serde_json::to_value(&reading.diagnostics).unwrap();
    assert_eq!(json[0]["severity"], "error");
    assert_eq!(json[0]["code"], "unknown-action");
    assert_eq!(json[0]["file"], "test.yaml");
    assert_eq!((&json[0]["line"], &json[0]["column"]), (&2.into(), &11.into()));
    assert_eq!(json[0]["span"], serde_json::json!({"start": 19, "end": 31}));
    assert!(json[0]["help"].as_str().unwrap().contains("restart_pod"));
}

#[test]
fn a_fault_that_an_alias_repeats_is_one_fault() {
    let text = "actions:\n  - type: wait\n    parameters: &p {second: 1}\n  - type: wait\n    parameters: *p\n";
    assert_eq!(super::codes(text), ["unknown-parameter"]);
}

#[test]
fn no_text_of_a_file_reaches_the_terminal_unescaped() {
    for (stem, text) in texts("playbooks/broken") {
        for diagnostic in read(&stem, &text).diagnostics {
            let shown = format!("{}{}", diagnostic.message, diagnostic.help.unwrap_or_default());
            assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{stem}: {shown:?}");
        }
    }
}
