//! A fault with its place, the line itself, and what to do about it.

use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use heal_language::{Diagnostic, Severity};
use serde_json::{Value, json};

use crate::out;

/// What is wrong with one file, whatever it is a file of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults<'s> {
    pub path: &'s Path,
    /// Empty where it is too large or no text.
    pub text: &'s str,
    pub diagnostics: &'s [Diagnostic],
}

impl Faults<'_> {
    pub(crate) fn has_errors(self) -> bool {
        self.count(Severity::Error) > 0
    }

    pub(crate) fn count(self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }
}

/// The faults of a file that are as severe as `least`, or more so, in the order of the file.
pub(crate) fn render(faults: Faults<'_>, least: Severity) -> impl Iterator<Item = String> {
    // An error comes before a warning in the order of the enum.
    faults.diagnostics.iter().filter(move |diagnostic| diagnostic.severity <= least).map(move |it| one(faults, it))
}

/// Tells the errors of files on standard error, and gives the names of those that have some.
pub(crate) fn tell_errors<'s>(files: impl Iterator<Item = Faults<'s>>) -> Vec<String> {
    let wrong = files.filter(|faults| faults.has_errors()).inspect(|faults| {
        for rendered in render(*faults, Severity::Error) {
            out::note(rendered);
        }
    });
    wrong.map(|faults| faults.path.display().to_string()).collect()
}

/// The same as JSON, with the file as it was named.
pub(crate) fn to_json(faults: Faults<'_>, diagnostic: &Diagnostic) -> Value {
    let mut value = json!(diagnostic);
    if let Value::Object(fields) = &mut value {
        fields.insert("file".to_owned(), json!(faults.path.display().to_string()));
    }
    value
}

fn one(faults: Faults<'_>, diagnostic: &Diagnostic) -> String {
    let path = out::text(&faults.path.display().to_string());
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(out::text(&diagnostic.message)).id(diagnostic.code);
    let mut group = match place(faults, diagnostic) {
        Some(span) => {
            title.element(Snippet::source(faults.text).path(path).annotation(AnnotationKind::Primary.span(span)))
        }
        None => title.element(Origin::path(path).line(diagnostic.line).char_column(diagnostic.column)),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(out::text(help)));
    }
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    format!("{}\n", renderer.render(&[group]))
}

/// Where the fault is in the text; none where there is no text to show. A span of many lines is shown by its first one.
fn place(faults: Faults<'_>, diagnostic: &Diagnostic) -> Option<std::ops::Range<usize>> {
    let span = diagnostic.span.range();
    let shown = faults.text.get(span.start..span.end.max(span.start))?;
    if faults.text.is_empty() {
        return None;
    }
    let first_line = shown.find('\n').unwrap_or(shown.len());
    Some(span.start..span.start + first_line)
}
