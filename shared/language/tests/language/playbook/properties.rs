//! Properties of reading any text.

use heal_engine::Plan;
use heal_engine::playbook::Playbook;
use heal_language::Severity;
use proptest::prelude::*;

use super::read;
use crate::{shipped_playbooks, texts};

/// The guarantees of reading.
fn check(text: &str) {
    let reading = read("test", text);
    let has_error = reading.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    assert_eq!(reading.playbook.is_none(), has_error, "{text:?}");
    for diagnostic in &reading.diagnostics {
        assert!(text.get(diagnostic.span.start..diagnostic.span.end).is_some(), "{diagnostic:?} in {text:?}");
        let before = &text[..diagnostic.span.start];
        assert_eq!(diagnostic.line, before.matches('\n').count() + 1, "{diagnostic:?} in {text:?}");
        assert!(diagnostic.column >= 1 && !diagnostic.message.is_empty());
        assert!(!diagnostic.message.chars().any(char::is_control), "{diagnostic:?}");
    }
    assert_eq!(read("test", text), reading, "reading twice is reading once");
    if let Some(playbook) = reading.playbook {
        let json = serde_json::to_string(&playbook).unwrap();
        assert_eq!(serde_json::from_str::<Playbook>(&json).unwrap(), playbook);
        // A playbook that reads without an error also compiles.
        Plan::compile(playbook).unwrap_or_else(|error| panic!("{error} in {text}"));
    }
}

fn good_texts() -> Vec<String> {
    texts("playbooks/good")
        .into_iter()
        .chain(shipped_playbooks())
        .chain(texts("playbooks/broken"))
        .map(|(_, text)| text)
        .collect()
}

/// One change of a text, by characters or lines.
#[derive(Debug, Clone)]
enum Change {
    Delete { at: prop::sample::Index, length: usize },
    Insert { at: prop::sample::Index, text: String },
    DropLine(prop::sample::Index),
    RepeatLine { from: prop::sample::Index, to: prop::sample::Index },
}

fn change() -> impl Strategy<Value = Change> {
    let piece = prop_oneof![
        "[ -~]{1,4}",
        "\\PC{1,3}",
        prop::sample::select(vec![
            "\n",
            "\t",
            "  ",
            ": ",
            "- ",
            "{{ ",
            " }}",
            "{% if a %}",
            "\"",
            "'",
            "&a ",
            "*a",
            "<<: ",
            "!!str ",
            "| ",
            "? ",
            "[",
            "]",
            "{",
            "}",
            "#",
            "null",
            "true",
            "0",
            "-1",
            "1e999",
            "steps.",
            "item",
            "needs: []\n",
            "\u{0}",
            "\u{feff}",
        ])
        .prop_map(ToOwned::to_owned),
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), 1..20_usize).prop_map(|(at, length)| Change::Delete { at, length }),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, text)| Change::Insert { at, text }),
        any::<prop::sample::Index>().prop_map(Change::DropLine),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>())
            .prop_map(|(from, to)| Change::RepeatLine { from, to }),
    ]
}

fn changed(text: &str, change: &Change) -> String {
    let characters: Vec<char> = text.chars().collect();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    match change {
        Change::Delete { at, length } => {
            let at = at.index(characters.len().max(1));
            characters
                .iter()
                .enumerate()
                .filter(|(index, _)| !(at..at + length).contains(index))
                .map(|(_, c)| *c)
                .collect()
        }
        Change::Insert { at, text } => {
            let (before, after) = characters.split_at(at.index(characters.len() + 1));
            before.iter().copied().chain(text.chars()).chain(after.iter().copied()).collect()
        }
        Change::DropLine(at) => {
            let at = at.index(lines.len().max(1));
            lines.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, line)| *line).collect()
        }
        Change::RepeatLine { from, to } => {
            let line = lines.get(from.index(lines.len().max(1))).copied().unwrap_or_default();
            let (before, after) = lines.split_at(to.index(lines.len() + 1));
            before.iter().copied().chain([line]).chain(after.iter().copied()).collect()
        }
    }
}

/// A failure prints the smallest text that shows it; it becomes a file of `broken`.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn any_text_is_read_to_its_end(text in "\\PC{0,200}") {
        check(&text);
    }

    #[test]
    fn any_text_of_yaml_signs_is_read_to_its_end(text in "([a-c]|[-:?,&*!|>%@`'\"#{}\\[\\] \n\t]|actions|type|wait|\\{\\{|\\}\\}){0,60}") {
        check(&text);
    }

    #[test]
    fn any_template_is_checked(text in "(\\{\\{|\\}\\}|\\{%|%\\}|[a-c.|()\\[\\]'\"~+ -]|steps|item|is|not|default|if|else|range|for|in|end|=){0,24}") {
        let quoted = serde_json::to_string(&text).unwrap();
        check(&format!("actions:\n  - type: wait\n    condition: {quoted}\n    parameters: {{seconds: {quoted}}}\n"));
    }
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn any_change_of_a_playbook_is_read_to_its_end(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let texts = good_texts();
        let text = changes.iter().fold(which.get(&texts).clone(), |text, change| changed(&text, change));
        check(&text);
    }
}
