//! The policy in this process.

use std::fmt;

use serde_json::Value;

use super::EvaluationError;
use super::decision::Answer;

/// The text of the policy that this build carries.
pub const BUNDLED_POLICY: &str = include_str!("../../../../policies/self_healing/playbook_validation.rego");

/// The text of the policy's own tests.
pub const BUNDLED_POLICY_TESTS: &str = include_str!("../../../../policies/self_healing/playbook_validation_test.rego");

/// Where the policy is, in the server and here.
const PACKAGE: &str = "data.neuralhive.self_healing.playbook_validation";

/// A compiled policy. One is enough for a process: an evaluation works on a copy of its own.
pub struct Bundled {
    engine: regorus::Engine,
}

impl fmt::Debug for Bundled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundled").finish_non_exhaustive()
    }
}

impl Bundled {
    /// The policy that this build carries.
    ///
    /// # Errors
    /// The text is no policy: a fault of the build.
    pub fn new() -> Result<Self, EvaluationError> {
        Self::of("playbook_validation.rego", BUNDLED_POLICY)
    }

    /// The policy in `text`, which has to be of the same package.
    ///
    /// # Errors
    /// The text cannot be compiled; `path` is named.
    pub fn of(path: &str, text: &str) -> Result<Self, EvaluationError> {
        let mut engine = regorus::Engine::new();
        engine.add_policy(path.to_owned(), text.to_owned()).map_err(|error| fault(&error))?;
        // Compiled here once: copies are then ready.
        engine.set_input(regorus::Value::new_object());
        engine.eval_rule(format!("{PACKAGE}.allow")).map_err(|error| fault(&error))?;
        Ok(Self { engine })
    }

    /// Evaluates `input`, the policy's whole input document.
    ///
    /// # Errors
    /// The policy gives no decision.
    pub fn evaluate(&self, input: &Value) -> Result<Answer, EvaluationError> {
        let mut engine = self.engine.clone();
        engine.set_input_json(&input.to_string()).map_err(|error| fault(&error))?;
        let mut rule = |name: &str| -> Result<Option<Value>, EvaluationError> {
            let value = engine.eval_rule(format!("{PACKAGE}.{name}")).map_err(|error| fault(&error))?;
            if value == regorus::Value::Undefined {
                return Ok(None);
            }
            let json = value.to_json_str().map_err(|error| fault(&error))?;
            serde_json::from_str(&json).map(Some).map_err(|error| EvaluationError(error.to_string()))
        };
        let mut document = serde_json::Map::new();
        for name in ["allow", "violations"] {
            if let Some(value) = rule(name)? {
                document.insert(name.to_owned(), value);
            }
        }
        Answer::read(Some(&document.into())).map_err(EvaluationError)
    }
}

/// The first line of an evaluator's error: the rest quotes the policy.
pub(super) fn fault(error: &impl fmt::Display) -> EvaluationError {
    EvaluationError(crate::error::one_line(&error.to_string()))
}
