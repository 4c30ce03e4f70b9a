//! A fault of a file, and its place in the file.

use std::ops::Range;

use serde::Serialize;

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the file is usable.
    pub severity: Severity,
    /// One of [`code`](super::code); stable across versions.
    pub code: &'static str,
    /// One sentence without a full stop, safe to print.
    pub message: String,
    /// `{file_stem}.yaml`: reading does not know the path.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// The same place in bytes, up to the end of its first line.
    pub span: Span,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Whether a file with this fault is usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Reading gives no model.
    Error,
    /// Reading gives a model, which may not be what its author intended.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// A range of bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// As a range, to slice a text with.
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether it has no byte.
    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// From the start of this span to the later of both ends.
    #[must_use]
    pub const fn to(self, end: Self) -> Self {
        Self { start: self.start, end: if end.end > self.end { end.end } else { self.end } }
    }
}
