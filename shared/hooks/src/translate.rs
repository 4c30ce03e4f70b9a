//! From an alert to the message of an incident.

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_engine::Map;
use heal_engine::id::Digest;
use heal_engine::incident::{self, IntakeError, NAME_CHARACTERS, Shape};
use heal_engine::secret::{Secrets, hide_text};
use heal_engine::template::{Scope, Template, TemplateError, Test, Tree, brief};
use serde_json::{Value, json};

use crate::alert::{Alert, AlertStatus};
use crate::file::{BadHooks, HooksFile, Rule};
use crate::limit;

/// The mapping file with its templates compiled.
#[derive(Debug)]
pub struct Hooks {
    file: HooksFile,
    rules: Vec<Compiled>,
}

/// What an alert becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Translation {
    /// An incident.
    Raise(Message),
    /// The message that an incident is over.
    Withdraw(Message),
    /// Nothing: no rule is for this alert.
    Ignored,
}

/// A message for the queue of incidents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The rule's name.
    pub rule: String,
    /// The same for every report of one alert.
    pub incident_id: String,
    /// One JSON object.
    pub body: String,
    /// What of the rule could not be rendered. The incident says so too, and a person has to approve its run.
    pub faults: Vec<String>,
}

#[derive(Debug)]
struct Compiled {
    condition: Option<Test>,
    resolved: Option<Test>,
    fingerprint: Option<Template>,
    incident: BTreeMap<String, Tree>,
}

impl Hooks {
    /// Compiles the templates of `file`.
    ///
    /// # Errors
    /// A text of a rule is not a template.
    pub fn new(file: HooksFile) -> Result<Self, BadHooks> {
        let rules = file.rules.iter().map(Compiled::new).collect::<Result<_, _>>()?;
        Ok(Self { file, rules })
    }

    /// The file as read.
    pub const fn file(&self) -> &HooksFile {
        &self.file
    }

    /// What `alert` becomes, by the first rule that fits it. Pure: equal alerts become equal messages.
    ///
    /// A field that cannot be rendered, such as one that names a label which the alert lacks, does not lose the alert: the incident is raised
    /// without the field, says what is wrong with it in `details`, and waits for a person. Without a fingerprint the alert's own text
    /// identifies it.
    pub fn translate(&self, alert: &Alert) -> Translation {
        let scope = Scope::new(Arc::new(alert.variables()));
        let fits = |(rule, compiled): &(&Rule, &Compiled)| rule.matches(alert) && compiled.holds(&scope);
        match self.file.rules.iter().zip(&self.rules).find(fits) {
            Some((rule, compiled)) => compiled.translate(rule, alert, &scope),
            None => Translation::Ignored,
        }
    }
}

impl Rule {
    fn matches(&self, alert: &Alert) -> bool {
        let is_one_of = |label: &str, texts: &[String]| {
            alert.labels.get(label).is_some_and(|value| texts.iter().any(|text| *text == plain(value)))
        };
        (self.sources.is_empty() || self.sources.contains(&alert.source))
            && self.matches.iter().all(|(label, texts)| is_one_of(label, texts))
    }
}

impl Compiled {
    fn new(rule: &Rule) -> Result<Self, BadHooks> {
        let fault = |field: &str, cause| BadHooks::Template { rule: rule.name.clone(), field: field.to_owned(), cause };
        let test = |field: &str, condition: &Option<_>| {
            condition.as_ref().map(Test::compile).transpose().map_err(|cause| fault(field, cause))
        };
        let tree = |(name, value): (&String, &Value)| {
            let tree = Tree::compile(value)
                .map_err(|(path, cause)| fault(format!("incident.{name}.{path}").trim_end_matches('.'), cause))?;
            Ok((name.clone(), tree))
        };
        Ok(Self {
            condition: test("condition", &rule.condition)?,
            resolved: test("resolved", &rule.resolved)?,
            fingerprint: rule
                .fingerprint
                .as_deref()
                .map(Template::compile)
                .transpose()
                .map_err(|cause| fault("fingerprint", cause))?,
            incident: rule.incident.iter().map(tree).collect::<Result<_, _>>()?,
        })
    }

    /// A condition about something that the alert lacks does not hold.
    fn holds(&self, scope: &Scope) -> bool {
        self.condition.as_ref().is_none_or(|condition| condition.holds(scope).unwrap_or(false))
    }

    fn translate(&self, rule: &Rule, alert: &Alert, scope: &Scope) -> Translation {
        let mut faults = Vec::new();
        let incident_id = self.incident_id(alert, scope).unwrap_or_else(|problem| {
            faults.push(problem);
            format!("{}:{}", alert.source, Digest::of(alert.payload.to_string().as_bytes()).as_str())
        });
        let message = |incident_id: String, fields: Map, faults: Vec<String>| Message {
            rule: rule.name.clone(),
            incident_id,
            body: without_secrets(fields),
            faults: faults.into_iter().map(|fault: String| hide_text(&fault).into_owned()).collect(),
        };
        match self.status(alert, scope) {
            Ok(AlertStatus::Resolved) if faults.is_empty() => {
                let fields = Map::from_iter([
                    ("incident_id".to_owned(), json!(incident_id)),
                    ("status".to_owned(), json!(AlertStatus::Resolved.as_str())),
                ]);
                return Translation::Withdraw(message(incident_id, fields, faults));
            }
            Ok(AlertStatus::Firing | AlertStatus::Resolved) => {}
            Err(error) => faults.push(format!("resolved: {error}")),
        }
        let mut fields = Map::new();
        for (name, tree) in &self.incident {
            match tree.render(scope) {
                Ok(value) => drop(fields.insert(name.clone(), value)),
                Err((path, error)) => faults.push(format!("{}: {error}", join(name, &path))),
            }
        }
        if let Some(at) = alert.started_ms() {
            fields.entry("created_at").or_insert_with(|| json!(at));
        }
        fields.insert("incident_id".to_owned(), json!(incident_id));
        if faults.is_empty()
            && let Err(fault) = readable(&fields, &incident_id)
        {
            faults.push(fault);
        }
        faults.truncate(limit::FAULTS);
        if !faults.is_empty() {
            fields = for_a_person(rule, alert, fields, &faults);
        }
        Translation::Raise(message(incident_id, fields, faults))
    }

    fn status(&self, alert: &Alert, scope: &Scope) -> Result<AlertStatus, TemplateError> {
        if let Some(status) = alert.status {
            return Ok(status);
        }
        let is_over = self.resolved.as_ref().map(|resolved| resolved.holds(scope)).transpose()?.unwrap_or(false);
        Ok(if is_over { AlertStatus::Resolved } else { AlertStatus::Firing })
    }

    /// `SOURCE:FINGERPRINT@START`. The rule's own fingerprint says which alerts are one, so it has no start.
    fn incident_id(&self, alert: &Alert, scope: &Scope) -> Result<String, String> {
        let source = alert.source;
        if let Some(template) = &self.fingerprint {
            let value = template.render(scope).map_err(|error| format!("fingerprint: {error}"))?;
            let text = plain(&value);
            if (value.is_string() || value.is_number()) && !text.trim().is_empty() {
                return Ok(format!("{source}:{}", short(text.trim())));
            }
            return Err(format!("fingerprint: is {}, expected a text", brief(&value)));
        }
        let Some(fingerprint) = alert.fingerprint.as_deref().filter(|fingerprint| !fingerprint.trim().is_empty())
        else {
            return Err("the alert has no fingerprint, and the rule gives it none".to_owned());
        };
        let start = if alert.starts_at.is_empty() { String::new() } else { format!("@{}", short(&alert.starts_at)) };
        let incident_id = format!("{source}:{}{start}", short(fingerprint.trim()));
        Ok(if incident_id.chars().count() <= NAME_CHARACTERS { incident_id } else { short(&incident_id) })
    }
}

fn without_secrets(mut fields: Map) -> String {
    Secrets::default().hide(&mut fields);
    Value::Object(fields).to_string()
}

/// Whether the engine reads these fields as the incident that is meant. Otherwise it would refuse them later, far from the cause.
fn readable(fields: &Map, incident_id: &str) -> Result<(), String> {
    match incident::read(&Value::Object(fields.clone()).to_string()) {
        Ok(intake) if intake.shape == Shape::Incident && intake.incident_id == incident_id => Ok(()),
        Ok(_) | Err(IntakeError::NotAnIncident { .. }) => {
            Err("with these fields the engine does not read the message as an incident".to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// What is left of an incident with faults: fields that read, what is wrong with the others, and the alert itself. It runs nothing before a
/// person has approved it.
fn for_a_person(rule: &Rule, alert: &Alert, mut fields: Map, faults: &[String]) -> Map {
    let incident_id = fields.get("incident_id").cloned().unwrap_or_default();
    if readable(&fields, incident_id.as_str().unwrap_or_default()).is_err() {
        let incident_type = rule.incident.get("incident_type").cloned().unwrap_or_default();
        fields = Map::from_iter([("incident_type".to_owned(), incident_type), ("incident_id".to_owned(), incident_id)]);
    }
    let details = faults.iter().map(|fault| format!("rule `{}` of the hooks: {fault}", rule.name));
    fields.insert("details".to_owned(), details.collect::<Vec<_>>().into());
    fields.insert("auto_remediation_enabled".to_owned(), Value::Bool(false));
    fields.insert("alert".to_owned(), json!({"source": alert.source, "labels": alert.labels}));
    fields
}

fn join(name: &str, path: &str) -> String {
    if path.is_empty() { format!("incident.{name}") } else { format!("incident.{name}.{path}") }
}

/// A label's value as text: a text without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

/// A text as a part of an id: its hash if it is long.
fn short(text: &str) -> String {
    if text.chars().count() <= limit::FINGERPRINT_CHARACTERS {
        return text.to_owned();
    }
    Digest::of(text.as_bytes()).as_str().to_owned()
}

#[cfg(test)]
mod tests;
