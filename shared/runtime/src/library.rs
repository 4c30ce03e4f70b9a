//! The playbooks that a dispatcher knows, and which of them an incident is for.

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_engine::incident::Intake;
use heal_engine::plan::PlanError;
use heal_engine::playbook::Playbook;
use heal_engine::template::{Scope, TemplateError, Test};
use heal_engine::{Map, Plan, suggest};
use serde_json::Value;

/// Compiled playbooks by name.
#[derive(Debug, Default)]
pub struct Library {
    playbooks: BTreeMap<String, Arc<Entry>>,
}

/// One playbook, ready to run.
#[derive(Debug)]
pub struct Entry {
    pub plan: Arc<Plan>,
    triggers: Vec<(String, Option<Test>)>,
    variables: Option<jsonschema::Validator>,
}

/// A set of playbooks that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error("playbook {playbook}, trigger {incident_type}")]
    Trigger {
        playbook: String,
        incident_type: String,
        #[source]
        cause: TemplateError,
    },
    #[error("playbook {playbook}, parameters_schema: {detail}")]
    Schema { playbook: String, detail: String },
    #[error("two playbooks are named {name}")]
    Twice { name: String },
    #[error("the compiled playbooks cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

/// Why an incident starts no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    #[error("there is no playbook `{name}`{}; known are: {}", hint(.suggestion.as_deref()), .known.join(", "))]
    UnknownPlaybook { name: String, suggestion: Option<String>, known: Vec<String> },
    #[error("no playbook has a trigger for incident_type `{incident_type}`, and the incident names none; triggers exist for: {}", .known.join(", "))]
    NoTrigger { incident_type: String, known: Vec<String> },
    #[error("the incident has neither an incident_type nor the name of a playbook")]
    Nothing,
    #[error("playbook {playbook} has a trigger for `{incident_type}`, and its condition failed: {detail}")]
    TriggerFailed { playbook: String, incident_type: String, detail: String },
    #[error("the variables do not fit playbook {playbook}: {}", .faults.join("; "))]
    Variables { playbook: String, faults: Vec<String> },
    #[error("concurrency_key of playbook {playbook}: {detail}")]
    ConcurrencyKey { playbook: String, detail: String },
}

impl Library {
    /// # Errors
    /// The first playbook that cannot be used.
    pub fn new(playbooks: impl IntoIterator<Item = Playbook>) -> Result<Self, LibraryError> {
        let mut library = Self::default();
        for playbook in playbooks {
            let name = playbook.name.clone();
            let entry = Entry::new(playbook)?;
            if library.playbooks.insert(name.clone(), Arc::new(entry)).is_some() {
                return Err(LibraryError::Twice { name });
            }
        }
        Ok(library)
    }

    /// The library that [`Library::to_json`] was made of: what a function is deployed with, which then needs neither YAML nor the actions'
    /// descriptions.
    ///
    /// # Errors
    /// The text is no list of compiled playbooks, or the first one that cannot be used.
    pub fn from_json(json: &str) -> Result<Self, LibraryError> {
        let playbooks: Vec<Playbook> = serde_json::from_str(json).map_err(LibraryError::Unreadable)?;
        Self::new(playbooks)
    }

    /// A list of the playbooks' canonical JSON, in the order of their names.
    pub fn to_json(&self) -> String {
        let playbooks: Vec<_> = self.playbooks.values().map(|entry| entry.plan.to_json()).collect();
        format!("[{}]", playbooks.join(","))
    }

    pub fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.playbooks.get(name)
    }

    /// Names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.playbooks.keys().map(String::as_str)
    }

    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.playbooks.values()
    }

    /// The playbook for an incident: the one that it names, else the first by name whose trigger fits.
    ///
    /// # Errors
    /// See [`RouteError`]; also where the incident's variables do not fit the playbook's schema.
    pub fn route(&self, intake: &Intake) -> Result<Arc<Entry>, RouteError> {
        let entry = match (&intake.playbook, &intake.incident_type) {
            (Some(name), _) => self.get(name).ok_or_else(|| self.unknown(name))?,
            (None, Some(incident_type)) => self.triggered(incident_type, &intake.variables)?,
            (None, None) => return Err(RouteError::Nothing),
        };
        entry.check(&intake.variables)?;
        Ok(Arc::clone(entry))
    }

    fn unknown(&self, name: &str) -> RouteError {
        RouteError::UnknownPlaybook {
            name: name.to_owned(),
            suggestion: suggest::closest(name, self.names()).map(ToOwned::to_owned),
            known: self.names().map(ToOwned::to_owned).collect(),
        }
    }

    fn triggered(&self, incident_type: &str, variables: &Map) -> Result<&Arc<Entry>, RouteError> {
        let mut failure = None;
        for entry in self.playbooks.values() {
            match entry.fits(incident_type, variables) {
                Ok(true) => return Ok(entry),
                Ok(false) => {}
                Err(error) => {
                    failure.get_or_insert(RouteError::TriggerFailed {
                        playbook: entry.plan.playbook.name.clone(),
                        incident_type: incident_type.to_owned(),
                        detail: error.to_string(),
                    });
                }
            }
        }
        let types = self.playbooks.values().flat_map(|entry| entry.triggers.iter().map(|(known, _)| known.clone()));
        let mut known: Vec<_> = types.collect();
        known.sort();
        known.dedup();
        Err(failure.unwrap_or_else(|| RouteError::NoTrigger { incident_type: incident_type.to_owned(), known }))
    }
}

impl Entry {
    fn new(playbook: Playbook) -> Result<Self, LibraryError> {
        let name = playbook.name.clone();
        let compile = |trigger: &heal_engine::playbook::Trigger| {
            let test = trigger.condition.as_ref().map(Test::compile).transpose();
            test.map(|test| (trigger.incident_type.clone(), test)).map_err(|cause| LibraryError::Trigger {
                playbook: name.clone(),
                incident_type: trigger.incident_type.clone(),
                cause,
            })
        };
        let triggers = playbook.triggers.iter().map(compile).collect::<Result<_, _>>()?;
        let schema = playbook.parameters_schema.as_ref().map(jsonschema::validator_for).transpose();
        let variables =
            schema.map_err(|error| LibraryError::Schema { playbook: name.clone(), detail: error.to_string() })?;
        Ok(Self { plan: Arc::new(Plan::compile(playbook)?), triggers, variables })
    }

    fn fits(&self, incident_type: &str, variables: &Map) -> Result<bool, TemplateError> {
        let scope = || scope(variables);
        self.triggers
            .iter()
            .filter(|(known, _)| known == incident_type)
            .try_fold(false, |fits, (_, test)| Ok(fits || test.as_ref().map_or(Ok(true), |test| test.holds(&scope()))?))
    }

    fn check(&self, variables: &Map) -> Result<(), RouteError> {
        let Some(validator) = &self.variables else { return Ok(()) };
        let variables = Value::Object(variables.clone());
        let faults: Vec<_> = validator.iter_errors(&variables).map(|error| describe(&error)).collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(RouteError::Variables { playbook: self.plan.playbook.name.clone(), faults })
    }

    /// The key that this run would hold, if the playbook has one.
    ///
    /// # Errors
    /// The template failed on these variables, or gave no text.
    pub fn concurrency_key(&self, variables: &Map) -> Result<Option<String>, RouteError> {
        let Some(template) = &self.plan.concurrency_key else { return Ok(None) };
        let fault = |detail: String| RouteError::ConcurrencyKey { playbook: self.plan.playbook.name.clone(), detail };
        match template.render(&scope(variables)).map_err(|error| fault(error.to_string()))? {
            Value::String(key) => Ok(Some(key)),
            Value::Number(key) => Ok(Some(key.to_string())),
            other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                Err(fault(format!("it gave {}, a text is needed", heal_engine::template::brief(&other))))
            }
        }
    }
}

/// The variables of an incident that has no run yet: its fields by name, and all of them as `incident`.
fn scope(variables: &Map) -> Scope {
    let incident = Value::Object(variables.clone());
    let mut variables = variables.clone();
    variables.insert("incident".to_owned(), incident);
    Scope::new(Arc::new(variables))
}

/// A schema fault with the place of the variable: `/ticket_id: …`, without the value where that is long.
fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    let mut text = error.to_string();
    heal_engine::message::cut(&mut text, 200);
    match error.instance_path().to_string().as_str() {
        "" => text,
        path => format!("{path}: {text}"),
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}
