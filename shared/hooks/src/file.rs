//! The mapping file as plain data: `heal-language` reads it from `hooks.yaml`, functions are deployed with its JSON.

use std::collections::BTreeMap;

use heal_engine::Map;
use heal_engine::id::Digest;
use heal_engine::playbook::Condition;
use serde::{Deserialize, Serialize};

use crate::limit;
use crate::source::Source;

/// Which alerts become which incidents. Without rules nothing does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HooksFile {
    /// How deliveries of a source are verified.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<Source, SourceRule>,
    /// The first rule that fits an alert decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
}

/// How deliveries of a source are verified. A source without a secret takes deliveries of identified callers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceRule {
    /// Where its secrets are: the current one first, then those that it replaces.
    pub secrets: Vec<SecretRef>,
    /// Seconds that the time of a signed delivery may be away from ours.
    pub window_seconds: u64,
}

/// Where a secret is: `env:NAME` or `secretsmanager:ARN`, with `#KEY` for one key of a JSON object. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub String);

/// Which alerts, and what they become.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Unique among the rules; the label of its metric.
    pub name: String,
    /// Whose alerts; empty: everybody's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// Labels, each with the texts that it may have.
    #[serde(default, rename = "match", skip_serializing_if = "BTreeMap::is_empty")]
    pub matches: BTreeMap<String, Vec<String>>,
    /// What else has to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// What stays the same from the first report of an alert to the one that it is over, for sources that do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Whether the alert is over, for sources that do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Condition>,
    /// The incident without its id; every text in it is a template.
    pub incident: Map,
}

/// A text that is not a usable mapping file.
#[derive(Debug, thiserror::Error)]
pub enum BadHooks {
    /// It is not JSON of this shape, or has a key that this build does not know.
    #[error("hooks: the text has another shape; compile it with this version of `heal hook compile`")]
    Shape(#[source] serde_json::Error),
    /// A number or a list is over its limit.
    #[error("hooks: {field} is {observed}, the limit is {limit}")]
    TooMany {
        /// What there is too much of.
        field: String,
        /// How much.
        observed: usize,
        /// The limit, in the same unit.
        limit: usize,
    },
    /// A text is not a template.
    #[error("hooks: cannot compile `{field}` of rule {rule}")]
    Template {
        /// The rule's name.
        rule: String,
        /// The key, such as `incident.worker_id`.
        field: String,
        /// What is wrong with it.
        #[source]
        cause: heal_engine::template::TemplateError,
    },
}

impl HooksFile {
    /// The canonical text, which the digest is of.
    pub fn to_json(&self) -> String {
        // Plain data with text keys cannot fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest of the canonical text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }

    /// Reads the canonical text, or any JSON of its shape.
    ///
    /// # Errors
    /// It has another shape, or more of something than [`limit`] allows.
    pub fn from_json(text: &str) -> Result<Self, BadHooks> {
        let file: Self = serde_json::from_str(text).map_err(BadHooks::Shape)?;
        at_most("the number of rules", file.rules.len(), limit::RULES)?;
        for rule in &file.rules {
            let of = |what: &str| format!("the number of {what} of rule {}", rule.name);
            at_most(&of("labels"), rule.matches.len(), limit::MATCHES)?;
            at_most(&of("fields"), rule.incident.len(), limit::FIELDS)?;
            let texts = rule.matches.values().map(Vec::len).max().unwrap_or_default();
            at_most(&of("texts of a label"), texts, limit::MATCH_TEXTS)?;
        }
        for (source, rule) in &file.sources {
            at_most(&format!("the number of secrets of {source}"), rule.secrets.len(), limit::SECRETS)?;
            let seconds = usize::try_from(rule.window_seconds).unwrap_or(usize::MAX);
            let most = usize::try_from(limit::WINDOW_SECONDS_MOST).unwrap_or(usize::MAX);
            at_most(&format!("window_seconds of {source}"), seconds, most)?;
        }
        Ok(file)
    }
}

fn at_most(field: &str, observed: usize, limit: usize) -> Result<(), BadHooks> {
    if observed <= limit { Ok(()) } else { Err(BadHooks::TooMany { field: field.to_owned(), observed, limit }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        HooksFile::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_has_no_rules_and_survives_its_text() {
        let file = HooksFile::from_json("{}").unwrap();
        assert_eq!(file, HooksFile::default());
        assert_eq!(file.to_json(), "{}");
    }

    #[test]
    fn a_full_file_survives_its_text() {
        let text = r#"{"sources":{"pagerduty":{"secrets":["env:PD"],"window_seconds":300}},"rules":[{"name":"a","sources":["generic"],"match":{"team":["x","y"]},"condition":"{{ payload.on }}","fingerprint":"{{ payload.id }}","resolved":false,"incident":{"incident_type":"T"}}]}"#;
        let file = HooksFile::from_json(text).unwrap();
        assert_eq!(file.to_json(), text);
        assert_ne!(file.digest(), HooksFile::default().digest());
    }

    #[test]
    fn an_unknown_key_is_refused_rather_than_ignored() {
        for text in [
            r#"{"rule":[]}"#,
            r#"{"rules":[{"name":"a","incident":{},"when":true}]}"#,
            r#"{"sources":{"nagios":{"secrets":[],"window_seconds":1}}}"#,
        ] {
            assert!(fault(text).starts_with("hooks: the text has another shape"), "{text}");
        }
    }

    #[test]
    fn every_limit_is_named_where_it_is_exceeded() {
        let rule = |rest: &str| format!(r#"{{"rules":[{{"name":"a","incident":{{}}{rest}}}]}}"#);
        let texts = |count: usize| format!("[{}]", vec!["\"t\""; count].join(","));
        assert!(HooksFile::from_json(&rule(&format!(r#","match":{{"l":{}}}"#, texts(limit::MATCH_TEXTS)))).is_ok());
        assert_eq!(
            fault(&rule(&format!(r#","match":{{"l":{}}}"#, texts(limit::MATCH_TEXTS + 1)))),
            "hooks: the number of texts of a label of rule a is 51, the limit is 50"
        );
        let labels: Vec<_> = (0..=limit::MATCHES).map(|label| format!("\"l{label}\":[]")).collect();
        assert!(fault(&rule(&format!(r#","match":{{{}}}"#, labels.join(",")))).contains("labels of rule a is 21"));
        let fields: Vec<_> = (0..=limit::FIELDS).map(|field| format!("\"f{field}\":1")).collect();
        let many = format!(r#"{{"rules":[{{"name":"a","incident":{{{}}}}}]}}"#, fields.join(","));
        assert!(fault(&many).contains("fields of rule a is 65, the limit is 64"));
        let rules = vec![r#"{"name":"a","incident":{}}"#; limit::RULES + 1].join(",");
        assert!(fault(&format!(r#"{{"rules":[{rules}]}}"#)).contains("rules is 201, the limit is 200"));
        let source = |secrets: usize, seconds: u64| {
            let secrets = texts(secrets);
            format!(r#"{{"sources":{{"generic":{{"secrets":{secrets},"window_seconds":{seconds}}}}}}}"#)
        };
        assert!(HooksFile::from_json(&source(limit::SECRETS, limit::WINDOW_SECONDS_MOST)).is_ok());
        assert!(fault(&source(limit::SECRETS + 1, 1)).contains("secrets of generic is 5, the limit is 4"));
        assert!(
            fault(&source(1, limit::WINDOW_SECONDS_MOST + 1)).contains("window_seconds of generic is 3601, the limit")
        );
    }
}
