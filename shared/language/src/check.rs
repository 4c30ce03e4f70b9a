//! Scheduled checks: a file's text in, a validated `Check` or every fault of the text out.
//!
//! In this order: the keys of the file, its probe (`probe`), the variables of its templates (`variables`), its incident
//! (`incident`), and whether a playbook handles that (`route`).

use std::ops::RangeInclusive;

use heal_engine::check::{Check, Probe};
use heal_engine::limit;
use heal_engine::playbook::{Condition, Playbook};

use crate::code;
use crate::condition;
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::field::{Field, Fields};
use crate::incident;
use crate::name::file_name;
use crate::report::{Finding, Report};
use crate::route;
use crate::template::Context;
use crate::template::EvaluationPoint;
use crate::yaml::{self, Kind, Node};

mod probe;
mod schema;
mod variables;

pub use schema::schema;

use variables::CheckVariables;

const KEYS: [&str; 8] =
    ["name", "description", "every_seconds", "probe", "condition", "for", "raise_once_in_seconds", "incident"];

/// Default of `every_seconds`: the rate of the schedule.
const DEFAULT_EVERY_SECONDS: u64 = 60;
/// Default of `for`: one lost packet is not an incident.
const DEFAULT_FAILURES: u32 = 3;
/// Default of `raise_once_in_seconds`: longer than most remedies take.
const DEFAULT_RAISE_ONCE_SECONDS: u64 = 900;

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// `Some` exactly if no diagnostic is an error.
    pub check: Option<Check>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the text of `{file_stem}.yaml` and finds all its faults at once.
///
/// `playbooks` are all that the incident can start. `None` skips the check that one of them handles it.
///
/// # Guarantees
/// No panic, no I/O, and bounded time and memory for any text: see [`heal_engine::limit`].
pub fn read(file_stem: &str, text: &str, playbooks: Option<&[Playbook]>) -> Reading {
    let mut report = Report::default();
    let root = yaml::parse(text, &mut report);
    let check = root.as_ref().and_then(|root| document(file_stem, text, root, playbooks, &mut report));
    Reading {
        check: check.filter(|_| !report.has_errors()),
        diagnostics: report.into_diagnostics(&format!("{file_stem}.yaml"), text),
    }
}

/// `None` and findings if the probe or the incident is missing or wrong.
fn document(stem: &str, text: &str, root: &Node, playbooks: Option<&[Playbook]>, report: &mut Report) -> Option<Check> {
    if root.kind == Kind::Null {
        let finding = Finding::error(code::EMPTY_FILE, Span::default(), "the file has no content");
        report.add(finding.help("a check has at least a `probe` and an `incident`"));
        return None;
    }
    let mut fields = Fields::from_object(root, "a check", report)?;
    let name = fields.take("name").map_or_else(|| stem.to_owned(), |field| file_name("check", stem, &field, report));
    let description = fields.take("description").filter(|field| field.node.kind != Kind::Null);
    let description = description.and_then(|field| field.text(report)).unwrap_or_default().to_owned();
    let every = limit::CHECK_EVERY_SECONDS..=limit::DURATION_SECONDS;
    let every_seconds = number(&mut fields, "every_seconds", every, "seconds", DEFAULT_EVERY_SECONDS, report);
    let failures =
        number(&mut fields, "for", 1..=u64::from(limit::CHECK_FAILURES), "probes", DEFAULT_FAILURES.into(), report);
    let window = 1..=limit::DEDUPE_SECONDS;
    let raise_once =
        number(&mut fields, "raise_once_in_seconds", window, "seconds", DEFAULT_RAISE_ONCE_SECONDS, report);
    let probe = fields.take("probe");
    let condition = fields.take("condition");
    let incident = fields.take("incident");
    fields.finish(&KEYS, misplaced, report);
    let head = root.entries().first().map_or(root.span, |entry| entry.key_span);
    let probe = required(probe, "probe", "what it reads", head, report).and_then(|field| probe::read(&field, report));
    let names = CheckVariables::of_probe(probe.as_ref().map(Probe::kind));
    let condition = condition.and_then(|field| self::condition(text, names, &field, report));
    let incident = required(incident, "incident", "what it raises", head, report)
        .and_then(|field| incident::read(Context { source: text, names: &names.with_counts() }, &field, report));
    if let (Some(incident), Some(playbooks)) = (&incident, playbooks) {
        route::check(incident, playbooks, report);
    }
    Some(Check {
        name,
        description,
        every_seconds,
        probe: probe?,
        condition,
        failures: u32::try_from(failures).unwrap_or(limit::CHECK_FAILURES),
        raise_once_in_seconds: raise_once,
        incident: incident?.fields,
    })
}

/// The right place of keys that are often written at the top.
fn misplaced(key: &str) -> Option<&'static str> {
    match key {
        "incident_type" | "severity" | "recommended_playbook" => Some("it is a field of `incident`"),
        "url" | "host" | "port" | "type" | "service" | "timeout_seconds" => Some("it is a key of `probe`"),
        "actions" | "triggers" | "verify" => {
            Some("it is a key of playbooks, a check starts one through its `incident`")
        }
        _ => None,
    }
}

fn required<'n>(field: Option<Field<'n>>, key: &str, what: &str, head: Span, report: &mut Report) -> Option<Field<'n>> {
    if field.is_none() {
        report.add(Finding::error(code::MISSING_KEY, head, format!("a check needs `{key}`, {what}")));
    }
    field
}

/// A whole number; the default if it is absent or wrong.
fn number(
    fields: &mut Fields<'_>,
    key: &'static str,
    range: RangeInclusive<u64>,
    unit: &str,
    default: u64,
    report: &mut Report,
) -> u64 {
    fields.take(key).and_then(|field| field.whole(range, unit, report)).unwrap_or(default)
}

fn condition(text: &str, names: CheckVariables, field: &Field<'_>, report: &mut Report) -> Option<Condition> {
    let cx = Context { source: text, names: &names };
    let decided = condition::condition(cx, field, EvaluationPoint::BeforeRun, report)?;
    match decided.always {
        Some(false) => {
            let message = "this check can never raise anything: its condition is always false";
            report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        }
        Some(true) => {
            let message = "this condition is always true: it excludes no target";
            report.add(Finding::warning(code::NO_EFFECT, field.node.span, message));
        }
        None => {}
    }
    Some(decided.condition)
}
