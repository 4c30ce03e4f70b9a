//! Errors of the YAML library in our words, with a place in the text.

use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter};

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, quoted};

pub(super) fn describe(text: &str, error: &Error) -> Finding {
    let mut error = error.without_snippet();
    let span = error.location().map_or_else(Span::default, |place| {
        let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        at(text, number(place.line()), number(place.column()))
    });
    while let Error::AliasError { error: inner, .. } = error {
        error = inner;
    }
    if let Some(message) = growth(error) {
        return Finding::error(code::YAML_BUDGET, span, message);
    }
    if let Error::NonFiniteFloat { value, .. } = error {
        let message = format!("{} is no number that can be carried", quoted(value));
        return Finding::error(code::NUMBER_RANGE, span, message).help("put it in quotes if it is a text");
    }
    let message = if matches!(error, Error::MultipleDocuments { .. }) {
        "a file has one document, a second one starts here".to_owned()
    } else if matches!(error, Error::RecursiveReferencesRequireWeakTypes { .. }) {
        "this alias stands for a value that it is part of".to_owned()
    } else if let Error::UnsupportedTag { tag, .. } = error {
        format!("the YAML tag `{}` means nothing here", quoted(tag))
    } else {
        DefaultMessageFormatter.format_message(error).into_owned()
    };
    let finding = Finding::error(code::YAML_SYNTAX, span, message);
    if has_bare_template(text, span) {
        return finding.help("a text that starts with `{{` needs quotes: \"{{ name }}\"");
    }
    finding
}

/// What grew too large, where that is the trouble.
fn growth(error: &Error) -> Option<String> {
    if matches!(
        error,
        Error::AliasReplayLimitExceeded { .. }
            | Error::AliasReplayStackDepthExceeded { .. }
            | Error::AliasExpansionLimitExceeded { .. }
            | Error::AliasReplayCounterOverflow { .. }
    ) {
        return Some("the aliases of this file stand for more values than one file can have".to_owned());
    }
    let Error::Budget { breach, .. } = error else { return None };
    Some(if matches!(breach, BudgetBreach::Depth { .. }) {
        "lists and objects are nested deeper here than they can be".to_owned()
    } else if matches!(breach, BudgetBreach::Events { .. } | BudgetBreach::Nodes { .. }) {
        "the file has more values than it can have".to_owned()
    } else if matches!(breach, BudgetBreach::ScalarBytes { .. }) {
        "the texts of this file are longer than they can be".to_owned()
    } else if matches!(breach, BudgetBreach::Documents { .. }) {
        "a file has one document, another one starts here".to_owned()
    } else {
        "the file has more anchors and aliases than it can have".to_owned()
    })
}

/// Whether a line at the fault, or the one before, has a value that starts with braces.
fn has_bare_template(text: &str, span: Span) -> bool {
    let before = text.get(..span.start).unwrap_or_default();
    let first = before.rmatch_indices('\n').nth(1).map_or(0, |(index, _)| index);
    let last = text.get(span.start..).and_then(|rest| rest.find('\n')).map_or(text.len(), |index| span.start + index);
    text.get(first..last).is_some_and(|lines| lines.contains(": {{") || lines.contains("- {{"))
}

/// The character in this line and column, both counted from 1.
fn at(text: &str, line: usize, column: usize) -> Span {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let (inside, length) =
        rest.char_indices().nth(column.saturating_sub(1)).map_or((rest.len(), 0), |(index, c)| (index, c.len_utf8()));
    Span::new(start + inside, start + inside + length)
}
