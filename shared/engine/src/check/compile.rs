//! A check with its templates ready to render.

use serde_json::Value;

use super::{Check, Failing, Tracked};
use crate::incident::{self, Shape};
use crate::template::{Scope, TemplateError, Test, Tree};
use crate::time::Timestamp;
use crate::{Map, limit};

/// A check that can be observed.
#[derive(Debug)]
pub struct Compiled {
    pub check: Check,
    condition: Option<Test>,
    incident: Tree,
}

/// A check that cannot be compiled. Reading a file finds these faults first.
#[derive(Debug, thiserror::Error)]
#[error("check {check}, {field}")]
pub struct CheckError {
    pub check: String,
    pub field: String,
    #[source]
    pub cause: TemplateError,
}

impl Compiled {
    /// # Errors
    /// A text of the check is no template.
    pub fn new(check: Check) -> Result<Self, CheckError> {
        let fault = |field: String, cause| CheckError { check: check.name.clone(), field, cause };
        let condition = check.condition.as_ref().map(Test::compile).transpose();
        let condition = condition.map_err(|cause| fault("condition".to_owned(), cause))?;
        let incident = Tree::compile(&Value::Object(check.incident.clone()))
            .map_err(|(path, cause)| fault(format!("incident.{path}"), cause))?;
        Ok(Self { check, condition, incident })
    }

    /// Whether the check's condition lets a target count.
    pub(super) fn counts(&self, target: &Failing, now: Timestamp) -> Result<bool, String> {
        let Some(condition) = &self.condition else { return Ok(true) };
        condition.holds(&self.scope(target, None, now)).map_err(|error| format!("condition: {error}"))
    }

    /// The message about a target under this id.
    ///
    /// # Errors
    /// A template failed on the target's fields, or what it gave is no incident; in words.
    pub(super) fn message(
        &self,
        incident_id: &str,
        target: &Failing,
        tracked: &Tracked,
        now: Timestamp,
    ) -> Result<String, String> {
        let scope = self.scope(target, Some(tracked), now);
        let rendered = self.incident.render(&scope).map_err(|(path, error)| format!("incident.{path}: {error}"))?;
        let Value::Object(mut fields) = rendered else { return Err("the incident is no object".to_owned()) };
        fields.entry("created_at").or_insert_with(|| now.0.into());
        fields.insert("incident_id".to_owned(), incident_id.into());
        let message = Value::Object(fields).to_string();
        // What would be refused there is better told here, where its cause is.
        let intake = incident::read(&message).map_err(|error| error.to_string())?;
        if intake.shape != Shape::Incident || intake.incident_id != incident_id {
            return Err("with these fields the engine takes it for something else than an incident".to_owned());
        }
        Ok(message)
    }

    fn scope(&self, target: &Failing, tracked: Option<&Tracked>, now: Timestamp) -> Scope {
        let mut reason = target.reason.clone();
        crate::message::cut(&mut reason, limit::TEXT_BYTES);
        let check = serde_json::json!({"name": self.check.name, "description": self.check.description});
        let mut variables = Map::from_iter([
            ("check".to_owned(), check),
            ("target".to_owned(), Value::Object(target.fields.clone())),
            ("reason".to_owned(), reason.into()),
            ("observed_at".to_owned(), now.0.into()),
        ]);
        if let Some(tracked) = tracked {
            variables.insert("failures".to_owned(), tracked.failures.into());
            variables.insert("since".to_owned(), tracked.since.0.into());
        }
        Scope::new(std::sync::Arc::new(variables))
    }
}
