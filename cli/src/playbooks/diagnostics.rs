//! Faults of files, printed with the line itself and a remedy.

use std::path::Path;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use heal_language::{Diagnostic, Severity};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use crate::out;

/// Faults of one file that are printed; the summary counts all.
pub(crate) const SHOWN: usize = 100;
/// Bytes of a line that is shown beside its fault. A longer one is named by its number: a file of one line would be printed at each fault.
const LINE_BYTES: usize = 1_024;

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
        for rendered in render(*faults, Severity::Error).take(SHOWN) {
            out::note(rendered);
        }
        note_more(*faults, Severity::Error);
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
    let mut group = match shown_line(faults, diagnostic) {
        Some((line, span)) => {
            let snippet = Snippet::source(line).line_start(diagnostic.line).path(path);
            title.element(snippet.annotation(AnnotationKind::Primary.span(span)))
        }
        None => title.element(Origin::path(path).line(diagnostic.line).char_column(diagnostic.column)),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(out::text(help)));
    }
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    format!("{}\n", renderer.render(&[group]))
}

/// The first line of the fault, and the fault's span in it; `None` without a text, or if the line is longer than [`LINE_BYTES`].
fn shown_line<'s>(faults: Faults<'s>, diagnostic: &Diagnostic) -> Option<(&'s str, std::ops::Range<usize>)> {
    let span = diagnostic.span.range();
    let text = faults.text;
    if text.is_empty() {
        return None;
    }
    let start = text.get(..span.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let rest = text.get(start..)?;
    let line = rest.get(..rest.find('\n').unwrap_or(rest.len()))?;
    let end = span.end.max(span.start).min(start + line.len());
    (line.len() <= LINE_BYTES).then(|| (line, span.start - start..end.max(span.start) - start))
}

/// Says how many faults are not printed.
fn note_more(faults: Faults<'_>, least: Severity) {
    let count = faults.diagnostics.iter().filter(|diagnostic| diagnostic.severity <= least).count();
    if let Some(more @ 1..) = count.checked_sub(SHOWN) {
        out::note(format_args!(
            "{}: and {}",
            out::text(&faults.path.display().to_string()),
            out::plural(more, "more fault")
        ));
    }
}

/// Prints every fault to standard output, for a person or as JSON.
///
/// # Errors
/// The output cannot be written.
pub(crate) fn print(files: &[Faults<'_>], as_json: bool) -> std::io::Result<()> {
    for faults in files {
        if as_json {
            for diagnostic in faults.diagnostics.iter().take(SHOWN) {
                out::json(&to_json(*faults, diagnostic))?;
            }
        } else {
            for rendered in render(*faults, Severity::Warning).take(SHOWN) {
                out::line(rendered)?;
            }
        }
        note_more(*faults, Severity::Warning);
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
