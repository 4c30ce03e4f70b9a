//! Guardrails: the text of `guardrails.yaml` in, the bounds or every fault of the text out.
//!
//! In this order: the sections of the file, its budgets (`budget`) with the templates of their keys (`key`), who may approve and how far a
//! playbook may act by itself (`people`), how many runs may be live (`admission`), the `windows`, the rules of `scope`, the `storms` and `dependencies`, and whether each rule can fire at
//! all (`reach`).

use heal_engine::catalog::{Catalog, Safety};
use heal_engine::playbook::Playbook;
use heal_guard::{CooldownRule, Guardrails, Repeats, limit};

use crate::code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{self, Entry, Kind, Node};

mod admission;
mod budget;
mod dependencies;
mod key;
mod known;
mod people;
mod reach;
mod schema;
mod scope;
mod storms;
mod windows;

pub use schema::schema;

use known::Known;

/// The file in a folder of playbooks, without its extension. It is not a playbook.
pub const FILE_STEM: &str = "guardrails";

const KEYS: [&str; 10] = [
    "cooldowns",
    "budgets",
    "repeats",
    "approvals",
    "autonomy",
    "admission",
    "windows",
    "scope",
    "storms",
    "dependencies",
];
const KEYS_OF_COOLDOWN: [&str; 1] = ["seconds"];
const KEYS_OF_REPEATS: [&str; 2] = ["escalate_at", "window_seconds"];

/// An `escalate_at` above this hardly ever hands anything to a person.
const FEW_REPEATS: u32 = 10;

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// `Some` exactly if no diagnostic is an error.
    pub guardrails: Option<Guardrails>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Reads the text of `{file_stem}.yaml` and finds all its faults at once. A file without content is the default.
///
/// `playbooks` are all that this home runs, and `checks` the names of its scheduled checks. `None`, such as while one of them cannot be read,
/// skips what depends on them.
///
/// # Guarantees
/// No panic, no I/O, and bounded time and memory for any text: see [`heal_guard::limit`].
pub fn read(
    file_stem: &str,
    text: &str,
    catalog: &Catalog,
    playbooks: Option<&[Playbook]>,
    checks: Option<&[String]>,
) -> Reading {
    let mut report = Report::default();
    let known = Known { catalog, playbooks, checks };
    let root = yaml::parse(text, &mut report);
    let guardrails = root.as_ref().and_then(|root| document(text, root, known, &mut report));
    Reading {
        guardrails: guardrails.filter(|_| !report.has_errors()),
        diagnostics: report.into_diagnostics(&format!("{file_stem}.yaml"), text),
    }
}

/// `None` and a finding if the file is not an object.
fn document(text: &str, root: &Node, known: Known<'_>, report: &mut Report) -> Option<Guardrails> {
    if root.kind == Kind::Null {
        return Some(Guardrails::default());
    }
    let mut fields = Fields::from_object(root, "the file of guardrails", report)?;
    // A section whose rules are all commented out has no value.
    let [cooldowns, budgets, repeats, approvals, autonomy, admission, windows, scope, storms, dependencies] =
        KEYS.map(|key| fields.take(key).filter(|field| field.node.kind != Kind::Null));
    let approvals = approvals.map(|field| people::approvals(&field, report)).unwrap_or_default();
    let groups = &approvals.groups.clone();
    let guardrails = Guardrails {
        cooldowns: cooldowns.map(|field| self::cooldowns(&field, known, report)).unwrap_or_default(),
        budgets: budgets.map(|field| budget::read(text, &field, known, report)).unwrap_or_default(),
        repeats: repeats.map(|field| self::repeats(&field, report)).unwrap_or_default(),
        windows: windows.map(|field| windows::read(&field, known, groups, report)).unwrap_or_default(),
        scope: scope.map(|field| scope::read(&field, known, report)).unwrap_or_default(),
        approvals,
        autonomy: autonomy.map(|field| people::autonomy(&field, known, report)).unwrap_or_default(),
        admission: admission.map(|field| admission::read(&field, known, report)).unwrap_or_default(),
        storms: storms.map(|field| storms::read(&field, known, report)).unwrap_or_default(),
        dependencies: dependencies.map(|field| dependencies::read(&field, known, report)).unwrap_or_default(),
    };
    fields.finish(&KEYS, misplaced, report);
    Some(guardrails)
}

/// The right place of keys that are often written at the top.
fn misplaced(key: &str) -> Option<&'static str> {
    match key {
        "max" | "key" | "window_seconds" | "actions" | "services" | "playbooks" => {
            Some("it is a key of one of the `budgets`")
        }
        "escalate_at" => Some("it is a key of `repeats`"),
        "live" | "per_playbook" | "per_service" => Some("it is a key of `admission`"),
        "groups" => Some("it is a key of `approvals`"),
        "targets" | "quiet_seconds" | "trickle" => Some("it is a key of one of the services of `storms`"),
        "level" | "demote" => Some("it is a key of one of the rules of `autonomy`"),
        "max_percent" | "concurrent" => Some("it is a key of one of the `budgets`"),
        "days" | "from" | "to" | "zone" | "start" | "end" => Some("it is a key of one of the `windows`"),
        "breaker" | "check" => Some("it is a key of one of the `dependencies`"),
        "opt_out" | "opt_in" => Some("it is a key of one of the rules of `scope`"),
        "triggers" | "steps" | "verify" => Some("it is a key of playbooks"),
        _ => None,
    }
}

/// The entries of an object whose keys are names.
fn entries<'n>(field: &Field<'n>, needed: &str, report: &mut Report) -> &'n [Entry] {
    match &field.node.kind {
        Kind::Object(entries) => entries,
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
            field.wrong_type(needed, report);
            &[]
        }
    }
}

fn cooldowns(field: &Field<'_>, known: Known<'_>, report: &mut Report) -> Vec<CooldownRule> {
    let entries = entries(field, "an object of actions, such as `restart_pod: {seconds: 300}`", report);
    entries.iter().filter_map(|entry| cooldown(entry, known, report)).collect()
}

fn cooldown(entry: &Entry, known: Known<'_>, report: &mut Report) -> Option<CooldownRule> {
    let action = entry.key.as_str();
    known.action(action, entry.key_span, report);
    if let Kind::Number(number) = &entry.value.kind {
        let message = format!("the cooldown of `{}` has no unit", quoted(action));
        let finding = Finding::error(code::WRONG_TYPE, entry.value.span, message);
        report.add(finding.help(format!("write `{{seconds: {number}}}`")));
        return None;
    }
    let mut fields = Fields::from_object(&entry.value, "a cooldown", report)?;
    let seconds = fields.take("seconds");
    if seconds.is_none() {
        report.add(Finding::error(code::MISSING_KEY, entry.key_span, "a cooldown needs `seconds`"));
    }
    let place = seconds.map_or(entry.value.span, |field| field.node.span);
    let seconds = seconds.and_then(|field| field.whole(0..=limit::WINDOW_SECONDS, "seconds", report));
    fields.finish(&KEYS_OF_COOLDOWN, |_| None, report);
    let spec = known.catalog.get(action)?;
    if spec.safety == Safety::ReadOnly {
        let message = format!("`{action}` only reads, so its cooldown has no effect");
        report.add(Finding::warning(code::NO_EFFECT, entry.key_span, message));
    } else if seconds == Some(0) {
        let message = format!("without a cooldown, `{action}` may change one target any number of times in a row");
        report.add(Finding::warning(code::NO_BOUND, place, message));
    }
    Some(CooldownRule { action: action.to_owned(), seconds: seconds? })
}

fn repeats(field: &Field<'_>, report: &mut Report) -> Repeats {
    let default = Repeats::default();
    let Some(mut fields) = Fields::from_object(field.node, "`repeats`", report) else { return default };
    let escalate_at = fields.take("escalate_at");
    let range = limit::REPEATS_LEAST.into()..=limit::REPEATS.into();
    let number = escalate_at.and_then(|field| field.whole(range, "runs", report));
    let number = number.and_then(|number| u32::try_from(number).ok());
    if let (Some(field), Some(number)) = (escalate_at, number.filter(|number| *number > FEW_REPEATS)) {
        let message = format!("{} runs of one remedy on one target pass before a person is asked", number - 1);
        let finding = Finding::warning(code::NO_BOUND, field.node.span, message);
        report.add(finding.help(format!("{FEW_REPEATS} is much already, the default is {}", default.escalate_at)));
    }
    let range = limit::REPEATS_WINDOW_LEAST_SECONDS..=limit::WINDOW_SECONDS;
    let window = fields.take("window_seconds").and_then(|field| field.whole(range, "seconds", report));
    fields.finish(&KEYS_OF_REPEATS, |_| None, report);
    Repeats {
        escalate_at: number.unwrap_or(default.escalate_at),
        window_seconds: window.unwrap_or(default.window_seconds),
    }
}
