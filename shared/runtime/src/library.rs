//! The playbooks of a dispatcher, and the routing of incidents to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_engine::PlanError;
use heal_engine::incident::Intake;
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
    /// The compiled playbook.
    pub plan: Arc<Plan>,
    triggers: Vec<(String, Option<Test>)>,
    variables: Option<jsonschema::Validator>,
}

/// A set of playbooks that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A playbook does not compile.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The condition of a trigger does not compile.
    #[error("failed to compile the trigger {incident_type} of playbook {playbook}")]
    Trigger {
        /// The playbook.
        playbook: String,
        /// The trigger.
        incident_type: String,
        /// What is wrong with the condition.
        #[source]
        cause: TemplateError,
    },
    /// `parameters_schema` is not a JSON Schema.
    #[error("failed to compile the parameters_schema of playbook {playbook}: {detail}")]
    Schema {
        /// The playbook.
        playbook: String,
        /// What is wrong with the schema.
        detail: String,
    },
    /// Names have to be unique.
    #[error("two playbooks are named {name}; rename one")]
    Twice {
        /// The name.
        name: String,
    },
    /// The text is not what `heal playbook compile` writes.
    #[error("failed to read the compiled playbooks")]
    Unreadable(#[source] serde_json::Error),
}

/// Why an incident does not start a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The incident names a playbook that does not exist.
    #[error("there is no playbook `{name}`{}; known are: {}", hint(.suggestion.as_deref()), .known.join(", "))]
    UnknownPlaybook {
        /// The name in the incident.
        name: String,
        /// The most similar name.
        suggestion: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// No trigger fits the incident.
    #[error("no playbook has a trigger for incident_type `{incident_type}`, and the incident names none; triggers exist for: {}", .known.join(", "))]
    NoTrigger {
        /// The incident's type.
        incident_type: String,
        /// The types of all triggers.
        known: Vec<String>,
    },
    /// The incident can neither be routed by name nor by type.
    #[error("the incident has neither an incident_type nor the name of a playbook")]
    Nothing,
    /// The condition of the only fitting trigger cannot be evaluated.
    #[error("playbook {playbook} has a trigger for `{incident_type}`, and its condition failed: {detail}")]
    TriggerFailed {
        /// The playbook.
        playbook: String,
        /// The trigger.
        incident_type: String,
        /// Why the condition failed.
        detail: String,
    },
    /// The variables do not satisfy `parameters_schema`.
    #[error("the variables do not fit playbook {playbook}: {}", .faults.join("; "))]
    Variables {
        /// The playbook.
        playbook: String,
        /// Each fault, with the variable's path.
        faults: Vec<String>,
    },
    /// The concurrency key cannot be rendered.
    #[error("concurrency_key of playbook {playbook}: {detail}")]
    ConcurrencyKey {
        /// The playbook.
        playbook: String,
        /// Why not.
        detail: String,
    },
}

impl Library {
    /// Compiles `playbooks`.
    ///
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

    /// Reads what [`Library::to_json`] wrote. Functions are deployed with this text, so they need neither YAML nor the actions' descriptions.
    ///
    /// # Errors
    /// The text is not a list of compiled playbooks, or the first playbook that cannot be used.
    pub fn from_json(json: &str) -> Result<Self, LibraryError> {
        let playbooks: Vec<Playbook> = serde_json::from_str(json).map_err(LibraryError::Unreadable)?;
        Self::new(playbooks)
    }

    /// A list of the playbooks' canonical JSON, in the order of their names.
    pub fn to_json(&self) -> String {
        let playbooks: Vec<_> = self.playbooks.values().map(|entry| entry.plan.to_json()).collect();
        format!("[{}]", playbooks.join(","))
    }

    /// The playbook of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Entry>> {
        self.playbooks.get(name)
    }

    /// The names of all playbooks, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.playbooks.keys().map(String::as_str)
    }

    /// All playbooks, in the order of their names.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.playbooks.values()
    }

    /// The playbook for an incident: the one that the incident names, else the first by name whose trigger fits.
    ///
    /// # Errors
    /// No playbook fits, or the incident's variables do not fit the playbook's schema.
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

    /// The concurrency key of a run with these variables, if the playbook has one.
    ///
    /// # Errors
    /// The template failed on these variables, or its value is neither text nor a number.
    pub fn concurrency_key(&self, variables: &Map) -> Result<Option<String>, RouteError> {
        let Some(template) = &self.plan.concurrency_key else { return Ok(None) };
        let fault = |detail: String| RouteError::ConcurrencyKey { playbook: self.plan.playbook.name.clone(), detail };
        match template.render(&scope(variables)).map_err(|error| fault(error.to_string()))? {
            Value::String(key) => Ok(Some(key)),
            Value::Number(key) => Ok(Some(key.to_string())),
            other @ (Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => {
                Err(fault(format!("its value is {}, expected text or a number", heal_engine::template::brief(&other))))
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

/// A schema fault with the path of the variable: `/ticket_id: …`, cut to 200 bytes.
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
