//! Collects what is found in a file, and puts it in the order of the file.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Severity, Span};
use heal_engine::{limit, message, text};

/// Characters of a name or value that a message repeats.
const QUOTED_CHARACTERS: usize = 60;

/// The faults of one file so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    found: Vec<Finding>,
}

#[derive(Debug)]
pub(crate) struct Finding {
    severity: Severity,
    code: &'static str,
    span: Span,
    message: String,
    help: Option<String>,
}

impl Finding {
    pub(crate) fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, code, span, message: message.into(), help: None }
    }

    pub(crate) fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, span, message) }
    }

    pub(crate) fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// With a "did you mean" where there is something to mean.
    pub(crate) fn suggest(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => Self { message: format!("{}, did you mean `{}`?", self.message, quoted(name)), ..self },
            None => self,
        }
    }
}

impl Report {
    pub(crate) fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.found.iter().any(|finding| finding.severity == Severity::Error)
    }

    pub(crate) fn has_error_within(&self, span: Span) -> bool {
        self.found.iter().any(|finding| {
            finding.severity == Severity::Error && span.start <= finding.span.start && finding.span.end <= span.end
        })
    }

    /// The faults in the order of the file, each once: what an alias repeats is one fault.
    pub(crate) fn into_diagnostics(mut self, file: &str, text: &str) -> Vec<Diagnostic> {
        self.found
            .sort_by(|a, b| (a.span, a.severity, a.code, &a.message).cmp(&(b.span, b.severity, b.code, &b.message)));
        let mut seen = BTreeSet::new();
        let mut cursor = Cursor { text, offset: 0, line: 1, column: 1 };
        let mut diagnostics = Vec::with_capacity(self.found.len());
        for finding in self.found {
            if !seen.insert((finding.code, finding.span, finding.message.clone())) {
                continue;
            }
            let (line, column) = cursor.forward(finding.span.start);
            diagnostics.push(Diagnostic {
                severity: finding.severity,
                code: finding.code,
                message: printable(&finding.message),
                file: file.to_owned(),
                line,
                column,
                span: first_line(text, finding.span),
                help: finding.help.as_deref().map(printable),
            });
        }
        diagnostics
    }
}

/// A value may have many lines; the first one shows the place.
fn first_line(text: &str, span: Span) -> Span {
    let line_end = text.get(span.range()).and_then(|value| value.find(['\r', '\n']));
    line_end.map_or(span, |length| Span::new(span.start, span.start + length))
}

/// Walks through the text once, however many faults there are.
struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
    column: usize,
}

impl Cursor<'_> {
    fn forward(&mut self, offset: usize) -> (usize, usize) {
        for character in self.text.get(self.offset..offset).unwrap_or_default().chars() {
            match character {
                '\n' => (self.line, self.column) = (self.line + 1, 1),
                // A byte order mark at the very start has no column.
                '\u{feff}' if self.offset == 0 => {}
                _ => self.column += 1,
            }
            self.offset += character.len_utf8();
        }
        (self.line, self.column)
    }
}

/// A name or value of the file as a message repeats it.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A file's text must not steer the terminal that its faults are printed on.
fn printable(text: &str) -> String {
    let mut text = text::printable(text).into_owned();
    message::cut(&mut text, limit::TEXT_BYTES);
    text
}
