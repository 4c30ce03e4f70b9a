//! Files whose comments say what is found in them: `# expect: line:column [warning] code part of the message`.

use engine::Plan;
use engine::playbook::{Diagnostic, Severity};

use crate::{read, texts};

/// The least number of broken playbooks that prove anything.
const BROKEN: usize = 30;

#[derive(Debug)]
struct Expectation<'t> {
    line: usize,
    column: usize,
    severity: Severity,
    code: &'t str,
    message: &'t str,
}

impl<'t> Expectation<'t> {
    fn all_of(text: &'t str) -> Vec<Self> {
        text.lines().filter_map(|line| line.strip_prefix("# expect: ")).map(Self::parse).collect()
    }

    fn parse(line: &'t str) -> Self {
        let (place, rest) = line.split_once(' ').expect("a place and a code");
        let (line, column) = place.split_once(':').expect("line:column");
        let (severity, rest) = match rest.strip_prefix("warning ") {
            Some(rest) => (Severity::Warning, rest),
            None => (Severity::Error, rest),
        };
        let (code, message) = rest.split_once(' ').expect("a code and a message");
        Self { line: line.parse().unwrap(), column: column.parse().unwrap(), severity, code, message }
    }

    fn is_met_by(&self, found: &Diagnostic) -> bool {
        (self.line, self.column, self.severity, self.code) == (found.line, found.column, found.severity, found.code)
            && found.message.contains(self.message)
    }
}

/// What is expected and not found, and what is found and not expected.
fn differences(stem: &str, text: &str, found: &[Diagnostic]) -> Vec<String> {
    let mut found: Vec<&Diagnostic> = found.iter().collect();
    let mut differences = Vec::new();
    for expected in Expectation::all_of(text) {
        match found.iter().position(|diagnostic| expected.is_met_by(diagnostic)) {
            Some(index) => drop(found.remove(index)),
            None => differences.push(format!("{stem}: not found: {expected:?}")),
        }
    }
    differences.extend(found.iter().map(|diagnostic| {
        let Diagnostic { line, column, severity, code, message, .. } = diagnostic;
        format!("{stem}: not expected: {line}:{column} {} {code} {message}", severity.as_str())
    }));
    differences
}

#[test]
fn every_fault_is_found_at_its_place_and_nothing_else() {
    let texts = texts("broken");
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
    for (stem, text) in texts("good") {
        let reading = read(&stem, &text);
        let differences = differences(&stem, &text, &reading.diagnostics);
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
        let playbook = reading.playbook.unwrap_or_else(|| panic!("{stem} has no playbook"));
        let json = serde_json::to_string(&playbook).unwrap();
        assert_eq!(serde_json::from_str::<engine::playbook::Playbook>(&json).unwrap(), playbook, "{stem}");
        Plan::compile(playbook).unwrap_or_else(|error| panic!("{stem}: {error}"));
    }
}

#[test]
fn every_code_is_a_fault_of_some_broken_playbook() {
    let source = include_str!("../../src/playbook/code.rs");
    let codes = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1));
    let texts = texts("broken");
    let found: Vec<&str> = texts.iter().flat_map(|(_, text)| Expectation::all_of(text)).map(|one| one.code).collect();
    // Those that need a file of many lines are made in `bounds`.
    let missing: Vec<&str> = codes
        .filter(|code| !found.contains(code))
        .filter(|code| !["too-large", "yaml-budget"].contains(code))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
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
    assert_eq!(crate::codes(text), ["unknown-parameter"]);
}

#[test]
fn no_text_of_a_file_reaches_the_terminal_unescaped() {
    for (stem, text) in texts("broken") {
        for diagnostic in read(&stem, &text).diagnostics {
            let shown = format!("{}{}", diagnostic.message, diagnostic.help.unwrap_or_default());
            assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{stem}: {shown:?}");
        }
    }
}
