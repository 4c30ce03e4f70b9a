//! The sources of alerts: where the secrets are that their deliveries are signed with.

use std::collections::BTreeMap;

use heal_engine::suggest;
use heal_hooks::{SecretRef, Source, SourceRule, limit};

use super::SOURCES;
use crate::code;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Entry, Kind, Node};

pub(super) const KEYS: [&str; 2] = ["secrets", "window_seconds"];

pub(super) fn read(field: &Field<'_>, report: &mut Report) -> BTreeMap<Source, SourceRule> {
    let Kind::Object(entries) = &field.node.kind else {
        field.wrong_type("an object of sources, such as `pagerduty: {secrets: [\"env:NAME\"]}`", report);
        return BTreeMap::new();
    };
    entries.iter().filter_map(|entry| source(entry, report)).collect()
}

/// `None` and findings if it has an error.
fn source(entry: &Entry, report: &mut Report) -> Option<(Source, SourceRule)> {
    let name = entry.key.as_str();
    let source = Source::named(name);
    let names = SOURCES.map(|(name, _)| name);
    if source.is_none() {
        let finding = Finding::error(code::WRONG_VALUE, entry.key_span, format!("`{}` is not a source", quoted(name)));
        let finding = finding.suggest(suggest::closest(name, names));
        report.add(finding.help(format!("the sources are {}", names.join(", "))));
    }
    if source.is_some_and(|source| !source.can_sign()) {
        let message = format!("`{name}` cannot sign what it sends");
        let finding = Finding::error(code::NO_EFFECT, entry.key_span, message);
        report.add(finding.help("give it a token of the role operator, see docs/hooks.md"));
    }
    let mut fields = Fields::from_object(&entry.value, "a source", report)?;
    let secrets = fields.take("secrets");
    if secrets.is_none() {
        let finding = Finding::error(code::MISSING_KEY, entry.key_span, "a source needs `secrets`");
        report.add(finding.help("such as [\"env:NAME\"]; leave the source out if its callers have tokens"));
    }
    let secrets = secrets.and_then(|field| self::secrets(&field, report));
    let window = fields.take("window_seconds");
    let window = window
        .map_or(Some(limit::WINDOW_SECONDS), |field| field.whole(1..=limit::WINDOW_SECONDS_MOST, "seconds", report));
    fields.finish(&KEYS, |_| None, report);
    Some((source?, SourceRule { secrets: secrets?, window_seconds: window? }))
}

fn secrets(field: &Field<'_>, report: &mut Report) -> Option<Vec<SecretRef>> {
    let items = field.list(report)?;
    if items.is_empty() || items.len() > limit::SECRETS {
        let message = format!("`secrets` has {} elements, 1 to {} are needed", items.len(), limit::SECRETS);
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        return None;
    }
    let references: Vec<_> = items.iter().filter_map(|item| reference(item, report)).collect();
    (references.len() == items.len()).then_some(references)
}

/// The message never quotes the text: it may be the secret itself.
fn reference(item: &Node, report: &mut Report) -> Option<SecretRef> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_reference = |text: &str| match text.split_once(':') {
        Some(("env", name)) => is_name(name),
        Some(("secretsmanager", rest)) => rest.split('#').next().is_some_and(|arn| arn.starts_with("arn:")),
        _ => false,
    };
    match &item.kind {
        Kind::Text(text) if is_reference(text) => Some(SecretRef(text.clone())),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
            let message = "a secret is never in the file, only where it is";
            let finding = Finding::error(code::WRONG_VALUE, item.span, message);
            report.add(finding.help("write `env:NAME`, or `secretsmanager:ARN` with `#KEY` for one key of an object"));
            None
        }
    }
}
