//! The playbooks of a dispatcher, and the routing of incidents to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heal_engine::incident::Intake;
use heal_engine::playbook::Playbook;
use heal_engine::secret::Secrets;
use heal_engine::template::{Scope, Template, TemplateError, Test};
use heal_engine::{Map, Plan, limit, schema, suggest};
use jsonschema::PatternOptions;
use serde_json::Value;

mod error;

pub use error::{LibraryError, RouteError};

/// Compiled playbooks by name.
#[derive(Debug, Default)]
pub struct Library {
    playbooks: BTreeMap<String, Arc<Entry>>,
    secrets: Secrets,
}

/// One playbook, ready to run.
#[derive(Debug)]
pub struct Entry {
    /// The compiled playbook.
    pub plan: Arc<Plan>,
    triggers: Vec<(String, Option<Test>)>,
    works_on_one_ticket: bool,
    variables: Option<Contract>,
}

/// What an incident's variables have to fit.
#[derive(Debug)]
struct Contract {
    validator: jsonschema::Validator,
    /// Subschemas that one element of the variables is checked against, at most.
    cost: u64,
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
        let schemas = library.playbooks.values().filter_map(|entry| entry.plan.playbook.parameters_schema.as_ref());
        library.secrets = Secrets::marked(schemas);
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

    /// The fields that are hidden in every message, those among them that a playbook marks with `x-secret`.
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// The names of all playbooks, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.playbooks.keys().map(String::as_str)
    }

    /// All playbooks, in the order of their names.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.playbooks.values()
    }

    /// The playbook for an incident: the one that the incident names, else the first by name whose trigger fits. Its schema is not checked.
    ///
    /// # Errors
    /// No playbook fits.
    pub fn route(&self, intake: &Intake) -> Result<Arc<Entry>, RouteError> {
        let entry = match (&intake.playbook, &intake.incident_type) {
            (Some(name), _) => self.get(name).ok_or_else(|| self.unknown(name))?,
            (None, Some(incident_type)) => self.triggered(incident_type, &intake.variables)?,
            (None, None) => return Err(RouteError::Nothing),
        };
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
        let variables = playbook.parameters_schema.as_ref().map(Contract::new).transpose();
        let variables = variables.map_err(|detail| LibraryError::Schema { playbook: name.clone(), detail })?;
        let plan = Arc::new(Plan::compile(playbook)?);
        Ok(Self { works_on_one_ticket: works_on_one_ticket(&plan), plan, triggers, variables })
    }

    /// Whether the playbook reads `ticket_id` and not `affected_tickets`: an incident with several tickets needs a run for each.
    pub const fn works_on_one_ticket(&self) -> bool {
        self.works_on_one_ticket
    }

    fn fits(&self, incident_type: &str, variables: &Map) -> Result<bool, TemplateError> {
        let scope = || scope(variables);
        self.triggers
            .iter()
            .filter(|(known, _)| known == incident_type)
            .try_fold(false, |fits, (_, test)| Ok(fits || test.as_ref().map_or(Ok(true), |test| test.holds(&scope()))?))
    }

    /// Checks the variables of an incident against `parameters_schema`.
    ///
    /// # Errors
    /// Every fault, with the variable's path.
    pub fn check(&self, variables: &Map) -> Result<(), RouteError> {
        let Some(contract) = &self.variables else { return Ok(()) };
        let faults = contract.faults(&Value::Object(variables.clone()));
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

impl Contract {
    fn new(schema: &Value) -> Result<Self, String> {
        let cost = schema::cost(schema).map_err(|error| error.to_string())?;
        let patterns = PatternOptions::regex().size_limit(limit::PATTERN_BYTES);
        let validator = jsonschema::options().with_pattern_options(patterns).build(schema);
        validator.map(|validator| Self { validator, cost }).map_err(|error| error.to_string())
    }

    /// The faults of `variables`, in bounded time and memory: without descriptions if these would be many.
    fn faults(&self, variables: &Value) -> Vec<String> {
        let checks = self.cost.saturating_mul(schema::elements(variables));
        if checks > limit::CHECKS_OF_VARIABLES {
            let elements = limit::CHECKS_OF_VARIABLES / self.cost.max(1);
            return vec![format!(
                "has more than {elements} elements, which is too much for the playbook's `parameters_schema`"
            )];
        }
        if self.validator.is_valid(variables) {
            return Vec::new();
        }
        if checks > limit::DESCRIBED_CHECKS {
            return vec!["does not fit the playbook's `parameters_schema`; it is too large to say where".to_owned()];
        }
        self.validator.iter_errors(variables).take(limit::DESCRIBED_FAULTS).map(|error| describe(&error)).collect()
    }
}

/// The variables of an incident that has no run yet: its fields by name, and all of them as `incident`.
fn scope(variables: &Map) -> Scope {
    let incident = Value::Object(variables.clone());
    let mut variables = variables.clone();
    variables.insert("incident".to_owned(), incident);
    Scope::new(Arc::new(variables))
}

fn works_on_one_ticket(plan: &Plan) -> bool {
    let key = plan.concurrency_key.iter().flat_map(Template::names);
    let names: BTreeSet<String> = plan.steps().flat_map(|(_, step)| step.names()).chain(key).collect();
    let required = plan.playbook.parameters_schema.as_ref().and_then(|schema| schema.get("required")?.as_array());
    let is_required = |variable: &str| required.into_iter().flatten().any(|name| name.as_str() == Some(variable));
    let is_read = |variable: &str| {
        names.iter().any(|name| {
            let name = name.strip_prefix("incident.").unwrap_or(name);
            name.split('.').next() == Some(variable)
        })
    };
    let uses = |variable: &str| is_read(variable) || is_required(variable);
    uses("ticket_id") && !uses("affected_tickets")
}

/// A schema fault with the path of the variable: `/ticket_id: …`, cut to 200 bytes. Of alternatives, the fault of each.
fn describe(error: &jsonschema::ValidationError<'_>) -> String {
    let mut text = if let jsonschema::error::ValidationErrorKind::AnyOf { context } = error.kind() {
        let first = context.iter().filter_map(|faults| faults.first());
        let first = first.take(limit::DESCRIBED_ALTERNATIVES).map(ToString::to_string);
        format!("none of the alternatives fits: {}", first.collect::<Vec<_>>().join("; or "))
    } else {
        error.to_string()
    };
    heal_engine::message::cut(&mut text, 200);
    match error.instance_path().to_string().as_str() {
        "" => text,
        path => format!("{path}: {text}"),
    }
}
