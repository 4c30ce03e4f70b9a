//! A fault with its place, the line itself, and what to do about it.

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use engine::playbook::{Diagnostic, Severity};
use serde_json::{Value, json};

use super::Source;
use crate::out;

/// The faults of a file that are as severe as `least`, or more so, in the order of the file.
pub(crate) fn render(source: &Source, least: Severity) -> impl Iterator<Item = String> {
    // An error comes before a warning in the order of the enum.
    source.reading.diagnostics.iter().filter(move |diagnostic| diagnostic.severity <= least).map(|it| one(source, it))
}

/// The same as JSON, with the file as it was named.
pub(crate) fn to_json(source: &Source, diagnostic: &Diagnostic) -> Value {
    let mut value = json!(diagnostic);
    if let Value::Object(fields) = &mut value {
        fields.insert("file".to_owned(), json!(source.path.display().to_string()));
    }
    value
}

fn one(source: &Source, diagnostic: &Diagnostic) -> String {
    let path = out::text(&source.path.display().to_string());
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(out::text(&diagnostic.message)).id(diagnostic.code);
    let mut group = match place(source, diagnostic) {
        Some(span) => title
            .element(Snippet::source(source.text.as_str()).path(path).annotation(AnnotationKind::Primary.span(span))),
        None => title.element(Origin::path(path).line(diagnostic.line).char_column(diagnostic.column)),
    };
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(out::text(help)));
    }
    let renderer = Renderer::styled().decor_style(DecorStyle::Ascii);
    format!("{}\n", renderer.render(&[group]))
}

/// Where the fault is in the text; none where there is no text to show. A span of many lines is shown by its first one.
fn place(source: &Source, diagnostic: &Diagnostic) -> Option<std::ops::Range<usize>> {
    let span = diagnostic.span.range();
    let shown = source.text.get(span.start..span.end.max(span.start))?;
    if source.text.is_empty() {
        return None;
    }
    let first_line = shown.find('\n').unwrap_or(shown.len());
    Some(span.start..span.start + first_line)
}
