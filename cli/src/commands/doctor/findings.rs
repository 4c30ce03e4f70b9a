//! The findings of the doctor, and how a person reads them.

use heal_clients::config::Setting;
use owo_colors::OwoColorize as _;
use serde::Serialize;

use crate::out;

/// Everything that the doctor found.
#[derive(Debug, Serialize)]
pub(super) struct Findings {
    pub configuration: Vec<Variable>,
    pub checks: Vec<Check>,
}

/// One environment variable.
#[derive(Debug, Serialize)]
pub(super) struct Variable {
    pub name: &'static str,
    pub value: Option<String>,
    pub source: String,
    pub purpose: &'static str,
    pub problem: Option<String>,
}

/// One thing that was tested.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    what: &'static str,
    /// A file, an address.
    subject: String,
    #[serde(rename = "well")]
    ok: bool,
    /// The state that was found, or the fault.
    #[serde(rename = "said")]
    detail: String,
}

impl Findings {
    pub(super) fn ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok) && self.configuration.iter().all(|it| it.problem.is_none())
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec!["configuration".bold().to_string()];
        lines.extend(self.configuration.iter().flat_map(Variable::lines));
        lines.push("checks".bold().to_string());
        lines.extend(self.checks.iter().map(Check::line));
        lines.push(if self.ok() { "all is well".green().to_string() } else { "something is wrong".red().to_string() });
        lines
    }
}

impl Variable {
    fn lines(&self) -> Vec<String> {
        let Self { name, value, source, purpose, problem } = self;
        let mark = if problem.is_some() { "✗".red().to_string() } else { " ".to_owned() };
        let value = value.as_deref().filter(|value| !value.is_empty()).map_or_else(|| "unset".to_owned(), out::text);
        let mut lines = vec![
            format!("{mark} {} = {value}  {}", name.cyan(), format_args!("({source})").dimmed()),
            format!("      {}", purpose.dimmed()),
        ];
        lines.extend(problem.iter().map(|problem| format!("      {}", out::text(problem).red())));
        lines
    }
}

impl From<Setting> for Variable {
    fn from(setting: Setting) -> Self {
        let Setting { name, value, source, purpose, problem } = setting;
        Self { name, value, source: source.to_string(), purpose, problem }
    }
}

impl Check {
    pub(super) fn new(what: &'static str, subject: impl Into<String>, result: Result<String, String>) -> Self {
        let (ok, detail) = match result {
            Ok(detail) => (true, detail),
            Err(detail) => (false, detail),
        };
        Self { what, subject: subject.into(), ok, detail }
    }

    fn line(&self) -> String {
        let mark = if self.ok { "✓".green().to_string() } else { "✗".red().to_string() };
        format!("  {mark} {:<12}  {}  {}", self.what, out::text(&self.subject), out::text(&self.detail))
    }
}
