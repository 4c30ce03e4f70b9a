//! Files whose comments say what is found in them.

use heal_engine::check::{Check, Compiled};

use super::{CODES_OF_CHECKS, read};
use crate::expectation::{Expectation, differences};
use crate::texts;

/// The least number of broken checks that prove anything.
const BROKEN: usize = 14;

#[test]
fn every_fault_is_found_at_its_place_and_nothing_else() {
    let texts = texts("checks/broken");
    assert!(texts.len() >= BROKEN, "{} broken checks", texts.len());
    let mut differences_of_all = Vec::new();
    for (stem, text) in &texts {
        let reading = read(stem, text);
        assert!(reading.errors().next().is_some(), "{stem} has no error");
        assert_eq!(reading.check, None, "{stem}");
        differences_of_all.extend(differences(stem, text, &reading.diagnostics));
    }
    assert!(differences_of_all.is_empty(), "\n{}", differences_of_all.join("\n"));
}

#[test]
fn good_checks_are_read_and_go_through_json() {
    let mut checks = Vec::new();
    for (stem, text) in texts("checks/good") {
        let reading = read(&stem, &text);
        let differences = differences(&stem, &text, &reading.diagnostics);
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
        let check = reading.check.unwrap_or_else(|| panic!("{stem} has no check"));
        Compiled::new(check.clone()).unwrap_or_else(|error| panic!("{stem}: {error}"));
        checks.push(check);
    }
    assert!(checks.len() >= 5);
    let json = heal_engine::check::to_json(&checks);
    assert_eq!(heal_engine::check::from_json(&json).unwrap(), checks);
    let error = heal_engine::check::from_json(&json.replacen("every_seconds", "every_second", 1)).unwrap_err();
    assert!(error.to_string().contains("every_second"), "{error}");
}

#[test]
fn every_code_of_checks_is_a_fault_of_some_broken_check() {
    let texts = texts("checks/broken");
    let found: Vec<&str> = texts.iter().flat_map(|(_, text)| Expectation::all_of(text)).map(|one| one.code).collect();
    let missing: Vec<&str> = CODES_OF_CHECKS.into_iter().filter(|code| !found.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn what_is_left_out_has_the_documented_defaults() {
    let check = super::good("");
    assert_eq!((check.name.as_str(), check.description.as_str()), ("test", ""));
    assert_eq!((check.every_seconds, check.failures, check.raise_once_in_seconds), (60, 3, 900));
    assert_eq!(check.probe.timeout_seconds(), 10);
}

#[test]
fn without_playbooks_nothing_is_said_of_the_way_to_one() {
    let text = "probe: {type: dependency, service: opa}\nincident: {incident_type: NOBODY_KNOWS_IT}\n";
    let reading = heal_language::check::read("test", text, None);
    assert_eq!(reading.diagnostics, []);
    let codes: Vec<_> = read("test", text).diagnostics.iter().map(|one| one.code).collect();
    assert_eq!(codes, ["unrouted-incident"]);
}

#[test]
fn the_conditional_trigger_of_one_playbook_does_not_hide_that_of_another() {
    let playbook = |name: &str, condition: &str, schema: &str| {
        let text = format!(
            "triggers: [{{incident_type: X{condition}}}]\nparameters_schema: {{type: object, required: [{schema}]}}\nactions: [{{type: wait, parameters: {{seconds: 1}}}}]\n"
        );
        heal_language::playbook::read(name, &text, &crate::catalog::catalog()).playbook.expect("good")
    };
    let text = "probe: {type: dependency, service: opa}\nincident: {incident_type: X}\n";
    let codes = |playbooks: &[_]| {
        let diagnostics = heal_language::check::read("test", text, Some(playbooks)).diagnostics;
        diagnostics.iter().map(|one| one.message.clone()).collect::<Vec<_>>()
    };
    let conditional = playbook("a", ", condition: \"{{ severity == 'HIGH' }}\"", "a");
    let plain = playbook("b", "", "b");
    // Which of the two it will be shows when the condition is asked.
    assert_eq!(codes(&[conditional.clone(), plain.clone()]), Vec::<String>::new());
    let needs_b = codes(&[plain, playbook("c", "", "c")]);
    assert_eq!(needs_b, ["playbook `b` needs the variable `b`, the incident does not bring it"]);
}

/// Everything that is promised of a reading, whatever the text is: cut off anywhere, a file is read to its end.
#[test]
fn any_beginning_of_a_file_is_read_to_its_end() {
    for (stem, text) in texts("checks/good").into_iter().chain(texts("checks/broken")) {
        for (end, _) in text.char_indices().step_by(7) {
            let reading = heal_language::check::read(&stem, &text[..end], None);
            assert_eq!(reading.check.is_none(), reading.errors().next().is_some(), "{stem}, {end} bytes");
            for diagnostic in &reading.diagnostics {
                assert!(text.get(diagnostic.span.start..diagnostic.span.end).is_some(), "{stem}: {diagnostic:?}");
            }
            if let Some(check) = reading.check {
                Compiled::new(check).unwrap_or_else(|error| panic!("{stem}, {end} bytes: {error}"));
            }
        }
    }
}

#[test]
fn a_check_refuses_json_that_is_none() {
    assert!(serde_json::from_str::<Check>("{}").is_err());
    assert!(heal_engine::check::from_json("{}").is_err());
}
