//! The language of playbooks, checks and guardrails: YAML text in, a model or everything that is wrong with the text out.
//!
//! It deliberately has no I/O, and nothing of it is in a function: functions get the models of [`heal_engine`] and [`heal_guard`] as JSON.
//!
//! Start at [`playbook::read`], [`check::read`] and [`guardrails::read`].
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
mod name;
pub mod notify;
pub mod playbook;
mod report;
mod template;
mod yaml;

pub use diagnostic::{Diagnostic, Severity, Span};
