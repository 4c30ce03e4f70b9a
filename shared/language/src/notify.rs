//! Notifications: the text of `notify.yaml` in, the rules of who is told or every fault of the text out.
//!
//! First the channels with their settings (`channel`), then the routes to them (`route`).

use heal_engine::catalog::Catalog;
use heal_engine::notice::Rules;
use heal_engine::playbook::Playbook;

use crate::code;
use crate::diagnostic::{Diagnostic, Severity};
use crate::field::Fields;
use crate::report::{Finding, Report};
use crate::yaml::{self, Kind, Node};

mod channel;
mod route;
mod schema;

pub use schema::schema;

/// The file in a folder of playbooks, without its extension. It is not a playbook.
pub const FILE_STEM: &str = "notify";

const KEYS: [&str; 2] = ["channels", "routes"];

/// The result of reading a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// `Some` exactly if no diagnostic is an error.
    pub rules: Option<Rules>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

impl Reading {
    /// The diagnostics that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// What the file may name.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    catalog: &'a Catalog,
    playbooks: Option<&'a [Playbook]>,
}

/// Reads the text of `{file_stem}.yaml` and finds all its faults at once. A file without content tells nobody anything.
///
/// `playbooks` are all that this home runs. `None` skips what depends on their names.
///
/// # Guarantees
/// No panic, no I/O, and bounded time and memory for any text: see [`heal_engine::notice::limit`].
pub fn read(file_stem: &str, text: &str, catalog: &Catalog, playbooks: Option<&[Playbook]>) -> Reading {
    let mut report = Report::default();
    let root = yaml::parse(text, &mut report);
    let rules = root.as_ref().and_then(|root| document(root, Known { catalog, playbooks }, &mut report));
    Reading {
        rules: rules.filter(|_| !report.has_errors()),
        diagnostics: report.into_diagnostics(&format!("{file_stem}.yaml"), text),
    }
}

/// `None` and a finding if the file is not an object.
fn document(root: &Node, known: Known<'_>, report: &mut Report) -> Option<Rules> {
    if root.kind == Kind::Null {
        return Some(Rules::default());
    }
    let mut fields = Fields::from_object(root, "the file of notifications", report)?;
    let [channels, routes] = KEYS.map(|key| fields.take(key).filter(|field| field.node.kind != Kind::Null));
    let named = channels.as_ref().map(|field| channel::read(field, report)).unwrap_or_default();
    let routes = routes.map(|field| route::read(&field, &named, known, report)).unwrap_or_default();
    for (name, (span, _)) in &named {
        if !routes.iter().any(|route| route.to.contains(name)) {
            let message = format!("no route goes to channel `{name}`, so it is never told anything");
            report.add(Finding::warning(code::NO_EFFECT, *span, message).help("add a route with `to`"));
        }
    }
    fields.finish(&KEYS, misplaced, report);
    let channels = named.into_iter().filter_map(|(name, (_, channel))| Some((name, channel?))).collect();
    Some(Rules { channels, routes })
}

/// The right place of keys that are often written at the top.
fn misplaced(key: &str) -> Option<&'static str> {
    match key {
        "type" | "url" | "routing_key" | "api_key" | "server" | "topic" => Some("it is a key of one of the `channels`"),
        "to" | "events" | "severities" | "outcomes" => Some("it is a key of one of the `routes`"),
        _ => None,
    }
}
