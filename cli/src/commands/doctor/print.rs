//! The findings for a person.

use owo_colors::OwoColorize as _;

use super::{Check, Findings, Variable};
use crate::out;

pub(super) fn lines(findings: &Findings) -> Vec<String> {
    let mut lines = vec!["configuration".bold().to_string()];
    lines.extend(findings.configuration.iter().flat_map(variable));
    lines.push("checks".bold().to_string());
    lines.extend(findings.checks.iter().map(check));
    lines.push(if findings.well() {
        "all is well".green().to_string()
    } else {
        "something is wrong".red().to_string()
    });
    lines
}

fn variable(variable: &Variable) -> Vec<String> {
    let Variable { name, value, source, purpose, problem } = variable;
    let mark = if problem.is_some() { "✗".red().to_string() } else { " ".to_owned() };
    let value = value.as_deref().filter(|value| !value.is_empty()).map_or_else(|| "unset".to_owned(), out::text);
    let mut lines = vec![
        format!("{mark} {} = {value}  {}", name.cyan(), format_args!("({source})").dimmed()),
        format!("      {}", purpose.dimmed()),
    ];
    lines.extend(problem.iter().map(|problem| format!("      {}", out::text(problem).red())));
    lines
}

fn check(check: &Check) -> String {
    let mark = if check.well { "✓".green().to_string() } else { "✗".red().to_string() };
    format!("  {mark} {:<12}  {}  {}", check.what, out::text(&check.subject), out::text(&check.said))
}
