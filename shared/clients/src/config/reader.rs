//! Reads variable after variable, records each value and fault, and continues after a fault.

use std::fmt;

use super::keys::{VARIABLES, Variable};
use super::strings::Strings;
use super::value::hide_credentials;

/// One variable and its value, as `heal doctor` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Name of the variable.
    pub name: &'static str,
    /// The value in effect, credentials hidden. `None`: unset and without a default.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
    /// One line about the variable's effect.
    pub purpose: &'static str,
    /// The fault of the value, if it has one.
    pub problem: Option<String>,
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The variable is set.
    Environment,
    /// The variable is unset, or empty and not `OPA_HOST`.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "environment",
            Self::Default => "default",
        })
    }
}

/// Everything that is wrong with the environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Invalid {
    /// Each fault, in the order of [`VARIABLES`].
    pub problems: Vec<Problem>,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.problems.iter().enumerate() {
            if at > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One wrong variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Name of the variable.
    pub variable: &'static str,
    /// The value with credentials hidden; `None` if it is missing.
    pub value: Option<String>,
    /// What was expected of the value.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{} is {value:?}, expected {}", self.variable, self.expected),
            None => write!(f, "{} is not set, expected {}", self.variable, self.expected),
        }
    }
}

pub(super) struct Reader<'a> {
    strings: &'a dyn Strings,
    problems: Vec<Problem>,
    settings: Vec<Setting>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(strings: &'a dyn Strings) -> Self {
        Self { strings, problems: Vec::new(), settings: Vec::with_capacity(VARIABLES.len()) }
    }

    /// The value of `name`, or its default; `None` after a fault.
    pub(super) fn required<T>(&mut self, name: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let default = variable(name).and_then(|variable| variable.default);
        self.read(name, default.map(str::to_owned), parse).flatten()
    }

    /// As [`Reader::required`], for a variable whose empty value has a meaning of its own: `Some(None)`.
    #[allow(clippy::option_option, reason = "fault, empty and value are three things")]
    pub(super) fn required_or_empty<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        match self.strings.get(name) {
            Ok(Some(value)) if value.trim().is_empty() => {
                self.note(name, Some(String::new()), Source::Environment);
                Some(None)
            }
            Ok(_) | Err(_) => self.required(name, parse).map(Some),
        }
    }

    /// As [`Reader::required`], with a default that is derived from other variables.
    pub(super) fn derived<T>(
        &mut self,
        name: &'static str,
        default: Option<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.read(name, default, parse).flatten()
    }

    /// The value of `name` if set: `None` after a fault, `Some(None)` if it is unset.
    #[allow(clippy::option_option, reason = "fault, absence and value are three things")]
    pub(super) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        self.read(name, None, parse)
    }

    /// Records a fault in the combination of several variables.
    pub(super) fn fault(&mut self, variable: &'static str, value: Option<&str>, expected: &str) {
        self.note_problem(variable, value.map(hide_credentials), expected.to_owned());
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    pub(super) fn into_settings(self) -> Vec<Setting> {
        self.settings
    }

    #[allow(clippy::option_option, reason = "fault, absence and value are three things")]
    fn read<T>(
        &mut self,
        name: &'static str,
        default: Option<String>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let (text, source) = match self.strings.get(name) {
            Ok(Some(value)) if !value.trim().is_empty() => (Some(value.trim().to_owned()), Source::Environment),
            Ok(_) => (default, Source::Default),
            Err(error) => {
                self.note(name, None, Source::Environment);
                self.note_problem(name, None, format!("Unicode text, but it is {error}"));
                return None;
            }
        };
        self.note(name, text.as_deref().map(hide_credentials), source);
        let Some(text) = text else { return Some(None) };
        match parse(&text) {
            Ok(value) => Some(Some(value)),
            Err(expected) => {
                self.note_problem(name, Some(hide_credentials(&text)), expected);
                None
            }
        }
    }

    fn note(&mut self, name: &'static str, value: Option<String>, source: Source) {
        self.settings.push(Setting {
            name,
            value,
            source,
            purpose: variable(name).map_or("", |variable| variable.purpose),
            problem: None,
        });
    }

    fn note_problem(&mut self, variable: &'static str, value: Option<String>, expected: String) {
        let problem = Problem { variable, value, expected };
        if let Some(setting) = self.settings.iter_mut().find(|it| it.name == variable) {
            setting.problem = Some(problem.to_string());
        }
        self.problems.push(problem);
    }
}

fn variable(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name == name)
}
