//! Channels: a kind, and the settings that this kind has.

use std::collections::BTreeMap;

use heal_engine::notice::{Channel, ChannelKind, SecretRef, Setting, Shape, limit};
use heal_engine::suggest;

use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::name::{illegal_name, is_legal_name};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Entry, Kind};

/// Channels by name, each with the place of its name; `None` for one with a fault.
pub(super) type Named = BTreeMap<String, (Span, Option<Channel>)>;

const REFERENCE: &str =
    "write `env:NAME` for an environment variable, or `secretsmanager:ARN#key` for AWS Secrets Manager";

pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Named {
    let Kind::Object(entries) = &field.node.kind else {
        field.wrong_type("an object of channels, such as `oncall: {type: slack, url: \"env:SLACK_URL\"}`", report);
        return Named::new();
    };
    if entries.len() > limit::CHANNELS {
        let message = format!("there are {} channels, the limit is {} channels", entries.len(), limit::CHANNELS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.key_span, message));
        return Named::new();
    }
    for entry in entries.iter().filter(|entry| !is_legal_name(&entry.key)) {
        report.add(illegal_name(&entry.key, entry.key_span));
    }
    entries.iter().map(|entry| (entry.key.clone(), (entry.key_span, channel(entry, report)))).collect()
}

fn channel(entry: &Entry, report: &mut Report) -> Option<Channel> {
    let mut fields = Fields::from_object(&entry.value, "a channel", report)?;
    let Some(kind) = fields.take("type") else {
        report.add(Finding::error(code::MISSING_KEY, entry.key_span, "a channel needs `type`"));
        return None;
    };
    let kind = kind.choice(&ChannelKind::ALL.map(|kind| (kind.as_str(), kind)), report)?;
    let mut settings = BTreeMap::new();
    for setting in kind.settings() {
        match fields.take(setting.key) {
            Some(field) => {
                if let Some(value) = value(&field, setting, report) {
                    settings.insert(setting.key.to_owned(), value);
                }
            }
            None if setting.required => {
                let message = format!("a channel of type `{}` needs `{}`", kind.as_str(), setting.key);
                report.add(Finding::error(code::MISSING_KEY, entry.key_span, message).help(setting.about));
            }
            None => {}
        }
    }
    if settings.contains_key("username") != settings.contains_key("password") {
        let message = "`username` and `password` belong together";
        report.add(Finding::error(code::MISSING_KEY, entry.key_span, message));
    }
    let known: Vec<&str> = ["type"].into_iter().chain(kind.settings().iter().map(|setting| setting.key)).collect();
    fields.finish(&known, |_| None, report);
    Some(Channel { kind, settings })
}

fn value(field: &Field<'_>, setting: &Setting, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if text.len() > limit::SETTING_BYTES {
        let message = format!("`{}` has {} bytes, the limit is {} bytes", field.key, text.len(), limit::SETTING_BYTES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.node.span, message));
        return None;
    }
    let wrong = |message: String| Finding::error(code::WRONG_VALUE, field.node.span, message);
    let finding = match setting.shape {
        // The text may be the secret itself, so it is not repeated.
        Shape::Secret if SecretRef::parse(text).is_none() => {
            let message = format!("`{}` is a secret, and a secret does not stand in this file", field.key);
            wrong(message).suggest(near_reference(text)).help(REFERENCE)
        }
        Shape::Url if has_credentials(text) || looks_secret(text) => {
            let message = format!("`{}` holds what looks like a secret", field.key);
            wrong(message).help("put the secret into a setting that is a reference; see `heal notify schema`")
        }
        Shape::Url if !has_scheme(text, &["http://", "https://"]) => {
            wrong(format!("`{}` is `{}`, an http or https URL is needed", field.key, quoted(text)))
        }
        Shape::Smtp if has_credentials(text) => wrong(format!("`{}` holds credentials", field.key))
            .help("use `username` and `password`, which are references"),
        Shape::Smtp if !has_scheme(text, &["smtp://", "smtps://", "smtp+plain://"]) => {
            let message =
                format!("`{}` is `{}`, such as `smtp://mail.example.org:587` is needed", field.key, quoted(text));
            wrong(message)
                .help("`smtp` upgrades to TLS by STARTTLS and refuses to go on without, `smtps` starts with TLS")
        }
        Shape::Smtp if text.starts_with("smtp+plain://") && !is_local(text) => {
            let message = format!("`{}` would send mail in clear text to another machine", field.key);
            wrong(message).help("use `smtp://` or `smtps://`; `smtp+plain` is for a relay on localhost")
        }
        Shape::Secret | Shape::Url | Shape::Smtp | Shape::Text => return Some(text.to_owned()),
    };
    report.add(finding);
    None
}

/// The beginning of a reference that `text` nearly is; never a part of `text` itself.
fn near_reference(text: &str) -> Option<&'static str> {
    let (scheme, _) = text.split_once(':')?;
    let scheme = suggest::closest(scheme, ["env", "secretsmanager"])?;
    Some(if scheme == "env" { "env:NAME" } else { "secretsmanager:ARN" })
}

fn has_scheme(text: &str, schemes: &[&str]) -> bool {
    schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
}

/// The part of a URL between `//` and the path.
fn authority(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or_default()
}

fn has_credentials(text: &str) -> bool {
    authority(text).contains('@')
}

/// Webhooks whose address is all that a sender needs, and parameters that are named like secrets.
fn looks_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let names = ["token=", "key=", "secret=", "sig=", "signature=", "password="];
    lower.contains("hooks.slack.com/")
        || lower.contains(".webhook.office.com/")
        || names.iter().any(|name| lower.contains(name))
}

fn is_local(text: &str) -> bool {
    let authority = authority(text);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}
