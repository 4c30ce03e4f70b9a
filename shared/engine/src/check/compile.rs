//! A check with its templates compiled.

use serde_json::Value;

use super::{Check, Failing, Tracked};
use crate::incident::{self, Shape};
use crate::template::{Scope, TemplateError, Test, Tree};
use crate::time::Timestamp;
use crate::{Map, limit};

/// A check that can judge observations.
#[derive(Debug)]
pub struct Compiled {
    /// The check as read.
    pub check: Check,
    condition: Option<Test>,
    incident: Tree,
}

/// A template of a check that does not compile. The lint reports these first.
#[derive(Debug, thiserror::Error)]
#[error("cannot compile `{field}` of check {check}")]
pub struct CheckError {
    /// Its name.
    pub check: String,
    /// The path of the text: `incident.severity`.
    pub field: String,
    /// What is wrong with the template.
    #[source]
    pub cause: TemplateError,
}

impl Compiled {
    /// Compiles the templates of `check`.
    ///
    /// # Errors
    /// A text of the check is not a template.
    pub fn new(check: Check) -> Result<Self, CheckError> {
        let fault = |field: String, cause| CheckError { check: check.name.clone(), field, cause };
        let condition = check.condition.as_ref().map(Test::compile).transpose();
        let condition = condition.map_err(|cause| fault("condition".to_owned(), cause))?;
        let incident = Tree::compile(&Value::Object(check.incident.clone()))
            .map_err(|(path, cause)| fault(format!("incident.{path}"), cause))?;
        Ok(Self { check, condition, incident })
    }

    /// Whether a failing target counts, by the condition of the check.
    pub(super) fn counts(&self, target: &Failing, now: Timestamp) -> Result<bool, String> {
        let Some(condition) = &self.condition else { return Ok(true) };
        condition.holds(&self.scope(target, None, now)).map_err(|error| format!("condition: {error}"))
    }

    /// The incident message of a target, with this id.
    ///
    /// # Errors
    /// A template failed on the fields of the target, or did not render to an incident.
    pub(super) fn message(
        &self,
        incident_id: &str,
        target: &Failing,
        tracked: &Tracked,
        now: Timestamp,
    ) -> Result<String, String> {
        let scope = self.scope(target, Some(tracked), now);
        let rendered = self.incident.render(&scope).map_err(|(path, error)| format!("incident.{path}: {error}"))?;
        let Value::Object(mut fields) = rendered else { return Err("the incident is not an object".to_owned()) };
        fields.entry("created_at").or_insert_with(|| now.0.into());
        fields.insert("incident_id".to_owned(), incident_id.into());
        let message = Value::Object(fields).to_string();
        // The intake would refuse it later, far from the cause.
        let intake = incident::read(&message).map_err(|error| error.to_string())?;
        if intake.shape != Shape::Incident || intake.incident_id != incident_id {
            return Err("with these fields the engine does not read the message as an incident".to_owned());
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
