//! What is wrong with a playbook, and where.

use std::ops::Range;

use serde::Serialize;

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub severity: Severity,
    /// One word of [`code`](super::code).
    pub code: &'static str,
    /// One sentence without a full stop, safe to print.
    pub message: String,
    /// The file's name as far as the reader knows it: the stem and `.yaml`.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    pub span: Span,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The playbook is not read.
    Error,
    /// The playbook is read; somebody should look at it.
    Warning,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// Bytes of a file, from `start` up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

impl Span {
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }

    pub const fn is_empty(self) -> bool {
        self.start >= self.end
    }

    /// From the start of the one to the end of the other.
    #[must_use]
    pub const fn to(self, end: Self) -> Self {
        Self { start: self.start, end: if end.end > self.end { end.end } else { self.end } }
    }
}
