//! The keys of one object: readers take the keys that they know, and [`Fields::finish`] reports the rest.

use std::ops::RangeInclusive;

use heal_engine::suggest;

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Entry, Kind, Node};

/// The keys of an object that no reader has taken yet.
#[derive(Debug)]
pub(crate) struct Fields<'n> {
    /// The kind of object, for messages: "a step".
    what: &'static str,
    entries: Vec<&'n Entry>,
}

/// A known key and its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'n> {
    pub(crate) key: &'static str,
    pub(crate) key_span: Span,
    pub(crate) node: &'n Node,
}

impl<'n> Fields<'n> {
    /// `None` and a finding if the value is not an object.
    pub(crate) fn from_object(node: &'n Node, what: &'static str, report: &mut Report) -> Option<Self> {
        match &node.kind {
            Kind::Object(entries) => Some(Self { what, entries: entries.iter().collect() }),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                let message = format!("{what} has to be an object of keys and values, found {}", node.brief());
                report.add(Finding::error(code::WRONG_TYPE, node.span, message));
                None
            }
        }
    }

    pub(crate) fn take(&mut self, key: &'static str) -> Option<Field<'n>> {
        self.take_as(key, key)
    }

    /// The key, or one of its old names with a warning.
    pub(crate) fn take_or_old(&mut self, key: &'static str, old: &[&str], report: &mut Report) -> Option<Field<'n>> {
        let mut found = self.take(key);
        for name in old {
            let Some(older) = self.take_as(name, key) else { continue };
            if found.is_some() {
                let message = format!("`{name}` is the old name of `{key}`, which is set too");
                report.add(Finding::error(code::DUPLICATE_KEY, older.key_span, message).help("remove one of the two"));
                continue;
            }
            let message = format!("`{name}` is an old key, it is read as `{key}`");
            report.add(Finding::warning(code::OLD_KEY, older.key_span, message).help(format!("write `{key}`")));
            found = Some(older);
        }
        found
    }

    fn take_as(&mut self, name: &str, key: &'static str) -> Option<Field<'n>> {
        let index = self.entries.iter().position(|entry| entry.key == name)?;
        let entry = self.entries.swap_remove(index);
        Some(Field { key, key_span: entry.key_span, node: &entry.value })
    }

    /// Reports the keys that no reader took. `misplaced` gives the reason for a key that belongs elsewhere.
    pub(crate) fn finish(self, known: &[&str], misplaced: impl Fn(&str) -> Option<&'static str>, report: &mut Report) {
        for entry in self.entries {
            let key = quoted(&entry.key);
            if let Some(where_to) = misplaced(&entry.key) {
                let message = format!("`{key}` does not belong here: {where_to}");
                report.add(Finding::error(code::MISPLACED_KEY, entry.key_span, message));
                continue;
            }
            let suggestion = synonym(&entry.key)
                .filter(|name| known.contains(name))
                .or_else(|| with_unit(&entry.key, known))
                .or_else(|| suggest::closest(&entry.key, known.iter().copied()));
            let finding =
                Finding::error(code::UNKNOWN_KEY, entry.key_span, format!("unknown key `{key}`")).suggest(suggestion);
            report.add(if suggestion.is_some() {
                finding
            } else {
                finding.help(format!("{} has the keys {}", self.what, known.join(", ")))
            });
        }
    }
}

impl<'n> Field<'n> {
    /// A text that is not blank.
    pub(crate) fn text(&self, report: &mut Report) -> Option<&'n str> {
        match &self.node.kind {
            Kind::Text(text) if !text.trim().is_empty() => Some(text),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
                self.wrong_type("a text", report);
                None
            }
        }
    }

    /// A whole number of `unit` within `range`; otherwise `None` and a finding.
    pub(crate) fn whole(&self, range: RangeInclusive<u64>, unit: &str, report: &mut Report) -> Option<u64> {
        let Kind::Number(number) = &self.node.kind else {
            self.wrong_type("a whole number", report);
            return None;
        };
        let (least, most) = (*range.start(), *range.end());
        match number.as_u64() {
            Some(value) if value > most => {
                let message = format!("`{}` is {value} {unit}, the limit is {most} {unit}", self.key);
                report.add(Finding::error(code::BUDGET_EXCEEDED, self.node.span, message));
                None
            }
            Some(value) if value >= least => Some(value),
            _ => {
                let message = format!("`{}` is {number}, a whole number of {unit} from {least} is needed", self.key);
                report.add(Finding::error(code::WRONG_VALUE, self.node.span, message));
                None
            }
        }
    }

    /// The value of one of the words in `choices`; otherwise `None` and a finding.
    pub(crate) fn choice<T: Copy>(&self, choices: &[(&str, T)], report: &mut Report) -> Option<T> {
        let words = || choices.iter().map(|(word, _)| *word);
        let Kind::Text(text) = &self.node.kind else {
            self.wrong_type(&format!("one of {}", words().collect::<Vec<_>>().join(", ")), report);
            return None;
        };
        if let Some((_, value)) = choices.iter().find(|(word, _)| word == text) {
            return Some(*value);
        }
        let message = format!("`{}` cannot be `{}`", self.key, quoted(text));
        let finding =
            Finding::error(code::WRONG_VALUE, self.node.span, message).suggest(suggest::closest(text, words()));
        report.add(finding.help(format!("it is one of {}", words().collect::<Vec<_>>().join(", "))));
        None
    }

    pub(crate) fn list(&self, report: &mut Report) -> Option<&'n [Node]> {
        match &self.node.kind {
            Kind::List(items) => Some(items),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::Object(_) => {
                self.wrong_type("a list", report);
                None
            }
        }
    }

    pub(crate) fn wrong_type(&self, needed: &str, report: &mut Report) {
        let message = format!("`{}` has to be {needed}, found {}", self.key, self.node.brief());
        report.add(Finding::error(code::WRONG_TYPE, self.node.span, message));
    }
}

/// The key of which `key` lacks the unit: `window` of `window_seconds`.
fn with_unit<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    known.iter().copied().find(|name| name.strip_prefix(key).is_some_and(|unit| unit == "_seconds"))
}

/// The key that corresponds to a key of another tool.
fn synonym(key: &str) -> Option<&'static str> {
    match key {
        "when" | "if" | "only_if" => Some("condition"),
        "depends_on" | "after" | "requires" => Some("needs"),
        "id" | "step" | "label" => Some("name"),
        "uses" | "run" | "function" | "module" => Some("type"),
        "args" | "arguments" | "inputs" | "input" | "param" | "parameter" => Some("parameters"),
        "loop" | "with_items" | "foreach" | "items" => Some("for_each"),
        "retries" | "attempts" => Some("retry"),
        "on_error" | "ignore_errors" | "continue_on_error" => Some("on_failure"),
        "on" | "trigger" => Some("triggers"),
        "schema" | "parameter_schema" | "params_schema" => Some("parameters_schema"),
        "within" => Some("within_seconds"),
        "every" | "interval" => Some("every_seconds"),
        "until_condition" => Some("until"),
        "failures" | "threshold" | "failure_threshold" => Some("for"),
        "window" | "window_seconds" | "raise_once" | "raise_once_in" => Some("raise_once_in_seconds"),
        "timeout" => Some("timeout_seconds"),
        "check" | "look" => Some("probe"),
        "raise" | "raises" => Some("incident"),
        "limit" | "count" | "maximum" => Some("max"),
        "per" | "group_by" | "partition" => Some("key"),
        "parallel" | "parallelism" | "concurrency" => Some("max_parallel"),
        _ => None,
    }
}
