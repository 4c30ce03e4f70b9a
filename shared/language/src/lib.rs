//! The language of playbooks, checks, guardrails and hooks: YAML text in, a model or everything that is wrong with the text out.
//!
//! It deliberately has no I/O, and the functions that act contain nothing of it: they get the models of [`heal_engine`] and [`heal_guard`] as JSON.
//!
//! Start at [`playbook::read`], [`check::read`], [`guardrails::read`] and [`hooks::read`].
//!
//! # Reading a playbook
//! ```
//! use heal_engine::catalog::Catalog;
//!
//! let text = "actions:\n  - type: wait\n    parameters: {second: 5}\n";
//! let reading = heal_language::playbook::read("pause", text, &Catalog::default());
//! let fault = reading.errors().next().unwrap();
//! assert_eq!((fault.line, fault.column, fault.code), (3, 18, heal_language::code::UNKNOWN_PARAMETER));
//!
//! let reading = heal_language::playbook::read("pause", &text.replace("second:", "seconds:"), &Catalog::default());
//! let playbook = reading.playbook.unwrap();
//! assert_eq!((playbook.name.as_str(), playbook.actions.len()), ("pause", 1));
//! ```

#![warn(missing_docs)]

pub mod check;
pub mod code;
mod condition;
mod diagnostic;
mod field;
pub mod guardrails;
pub mod hooks;
mod incident;
mod name;
pub mod notify;
pub mod playbook;
mod report;
mod route;
mod template;
mod yaml;

pub use diagnostic::{Diagnostic, Severity, Span};

/// The text of a configuration file that is no part of the language, as JSON. A file without content is `null`.
///
/// # Errors
/// The text is not YAML, or has duplicate keys and the like; each fault with its place in `{file_stem}.yaml`.
pub fn configuration(file_stem: &str, text: &str) -> Result<serde_json::Value, Vec<Diagnostic>> {
    let mut report = report::Report::default();
    let root = yaml::parse(text, &mut report);
    match root {
        Some(root) if !report.has_errors() => Ok(root.to_json()),
        Some(_) | None => Err(report.into_diagnostics(&format!("{file_stem}.yaml"), text)),
    }
}
