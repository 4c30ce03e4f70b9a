//! What a file says in comments that is found in it: `# expect: line:column [warning] code part of the message`.

use heal_language::{Diagnostic, Severity};

#[derive(Debug)]
pub struct Expectation<'t> {
    line: usize,
    column: usize,
    severity: Severity,
    pub code: &'t str,
    message: &'t str,
}

impl<'t> Expectation<'t> {
    pub fn all_of(text: &'t str) -> Vec<Self> {
        text.lines().filter_map(|line| line.strip_prefix("# expect: ")).map(Self::parse).collect()
    }

    fn parse(line: &'t str) -> Self {
        let (place, rest) = line.split_once(' ').expect("a place and a code");
        let (line, column) = place.split_once(':').expect("line:column");
        let (severity, rest) = match rest.strip_prefix("warning ") {
            Some(rest) => (Severity::Warning, rest),
            None => (Severity::Error, rest),
        };
        let (code, message) = rest.split_once(' ').expect("a code and a message");
        Self { line: line.parse().unwrap(), column: column.parse().unwrap(), severity, code, message }
    }

    fn is_met_by(&self, found: &Diagnostic) -> bool {
        (self.line, self.column, self.severity, self.code) == (found.line, found.column, found.severity, found.code)
            && found.message.contains(self.message)
    }
}

/// What is expected and not found, and what is found and not expected.
pub fn differences(stem: &str, text: &str, found: &[Diagnostic]) -> Vec<String> {
    let mut found: Vec<&Diagnostic> = found.iter().collect();
    let mut differences = Vec::new();
    for expected in Expectation::all_of(text) {
        match found.iter().position(|diagnostic| expected.is_met_by(diagnostic)) {
            Some(index) => drop(found.remove(index)),
            None => differences.push(format!("{stem}: not found: {expected:?}")),
        }
    }
    differences.extend(found.iter().map(|diagnostic| {
        let Diagnostic { line, column, severity, code, message, .. } = diagnostic;
        format!("{stem}: not expected: {line}:{column} {} {code} {message}", severity.as_str())
    }));
    differences
}
