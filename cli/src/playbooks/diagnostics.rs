//! Faults of files, printed with the line itself and a remedy.

use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use heal_language::{Diagnostic, Severity};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use crate::out;

/// The faults of one file, of a playbook or of a check.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faults<'s> {
    pub path: &'s Path,
    /// Empty if the file is too large or not text.
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

/// Renders the faults of a file with at least the severity `least`, in the order of the file.
pub(crate) fn render(faults: Faults<'_>, least: Severity) -> impl Iterator<Item = String> {
    // An error comes before a warning in the order of the enum.
    faults
        .diagnostics
        .iter()
        .filter(move |diagnostic| diagnostic.severity <= least)
        .map(move |it| render_one(faults, it))
}

/// Prints the errors of files to standard error, and returns the names of the files with errors.
pub(crate) fn print_errors<'s>(files: impl Iterator<Item = Faults<'s>>) -> Vec<String> {
    let wrong = files.filter(|faults| faults.has_errors()).inspect(|faults| {
        for rendered in render(*faults, Severity::Error) {
            out::note(rendered);
        }
    });
    wrong.map(|faults| faults.path.display().to_string()).collect()
}

/// A fault as JSON, with the path of the file.
fn to_json(faults: Faults<'_>, diagnostic: &Diagnostic) -> Value {
    let mut value = json!(diagnostic);
    if let Value::Object(fields) = &mut value {
        fields.insert("file".to_owned(), json!(faults.path.display().to_string()));
    }
    value
}

fn render_one(faults: Faults<'_>, diagnostic: &Diagnostic) -> String {
    let path = out::text(&faults.path.display().to_string());
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(out::text(&diagnostic.message)).id(diagnostic.code);
    let mut group = match first_line(faults, diagnostic) {
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

/// The fault's span in the text, cut to its first line; `None` without a text.
fn first_line(faults: Faults<'_>, diagnostic: &Diagnostic) -> Option<std::ops::Range<usize>> {
    let span = diagnostic.span.range();
    let shown = faults.text.get(span.start..span.end.max(span.start))?;
    if faults.text.is_empty() {
        return None;
    }
    let end = shown.find('\n').unwrap_or(shown.len());
    Some(span.start..span.start + end)
}

/// Prints every fault to standard output, for a person or as JSON.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn print(files: &[Faults<'_>], as_json: bool) -> std::io::Result<()> {
    for faults in files {
        if as_json {
            for diagnostic in faults.diagnostics {
                out::json(&to_json(*faults, diagnostic))?;
            }
        } else {
            for rendered in render(*faults, Severity::Warning) {
                out::line(rendered)?;
            }
        }
    }
    Ok(())
}

/// Numbers of faults.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub errors: usize,
    warnings: usize,
}

impl Tally {
    pub(crate) fn count(files: &[Faults<'_>]) -> Self {
        let count = |severity| files.iter().map(|faults| faults.count(severity)).sum();
        Self { errors: count(Severity::Error), warnings: count(Severity::Warning) }
    }

    pub(crate) fn summary(self) -> String {
        match (self.errors, self.warnings) {
            (0, 0) => "no fault".green().to_string(),
            (0, warnings) => out::plural(warnings, "warning").yellow().to_string(),
            (errors, 0) => out::plural(errors, "error").red().to_string(),
            (errors, warnings) => {
                format!("{}, {}", out::plural(errors, "error").red(), out::plural(warnings, "warning").yellow())
            }
        }
    }
}
