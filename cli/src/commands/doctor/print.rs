//! The findings for a person.

use owo_colors::OwoColorize as _;

use super::{Check, Findings, Variable};
use crate::{out, table};

pub(super) fn lines(findings: &Findings) -> Vec<String> {
    let mut lines = vec!["configuration".bold().to_string()];
    let rows = findings.configuration.iter().map(row).collect();
    lines.extend(table::lines(["VARIABLE", "VALUE", "SOURCE", "PURPOSE"], rows).map(|line| format!("  {line}")));
    let problems = findings.configuration.iter().filter_map(|variable| variable.problem.as_ref());
    lines.extend(problems.map(|problem| format!("  {} {}", "✗".red(), out::text(problem))));
    lines.push("checks".bold().to_string());
    lines.extend(findings.checks.iter().map(check));
    lines.push(if findings.well() {
        "all is well".green().to_string()
    } else {
        "something is wrong".red().to_string()
    });
    lines
}

fn row(variable: &Variable) -> [String; 4] {
    let value = variable.value.as_deref().filter(|value| !value.is_empty());
    [variable.name.to_owned(), out::text(value.unwrap_or("-")), variable.source.clone(), variable.purpose.to_owned()]
}

fn check(check: &Check) -> String {
    let mark = if check.well { "✓".green().to_string() } else { "✗".red().to_string() };
    format!("  {mark} {:<12}  {}  {}", check.what, out::text(&check.subject), out::text(&check.said))
}
