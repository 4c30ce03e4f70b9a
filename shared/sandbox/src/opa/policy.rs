//! A Rego policy, evaluated in process.

use serde_json::Value;

/// Why a policy cannot be loaded or evaluated. The text names the field.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The decision is `rules`, but no policy is loaded.
    #[error("policy: missing, the decision `rules` needs the policy's Rego text")]
    Missing,
    /// The text is not Rego v1.
    #[error("policy: failed to compile: {reason}")]
    Rego {
        /// The message of the compiler, with line and column.
        reason: String,
    },
    /// The policy cannot be evaluated for this input.
    #[error("failed to evaluate the policy: {reason}")]
    Evaluation {
        /// The message of the interpreter.
        reason: String,
    },
}

/// A compiled policy. Each question is evaluated on a copy of the engine.
#[derive(Clone)]
pub(super) struct Policy(regorus::Engine);

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Policy")
    }
}

impl Policy {
    pub(super) fn compile(rego: &str) -> Result<Self, PolicyError> {
        let mut engine = regorus::Engine::new();
        engine
            .add_policy("policy.rego".to_owned(), rego.to_owned())
            .map_err(|error| PolicyError::Rego { reason: error.to_string() })?;
        Ok(Self(engine))
    }

    /// The document at `path`, such as `a/b`; `None` if it is undefined.
    pub(super) fn document(&self, path: &str, input: Option<&Value>) -> Result<Option<Value>, PolicyError> {
        let plain = |part: &str| {
            let mut letters = part.chars();
            letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
                && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        let parts: Vec<&str> = path.split('/').collect();
        // No package can have such a path, so the document is undefined.
        if !parts.iter().all(|part| plain(part)) {
            return Ok(None);
        }
        let failed = |reason: String| PolicyError::Evaluation { reason };
        let mut engine = self.0.clone();
        if let Some(input) = input {
            engine.set_input_json(&input.to_string()).map_err(|error| failed(error.to_string()))?;
        }
        let results =
            engine.eval_query(format!("data.{}", parts.join(".")), false).map_err(|error| failed(error.to_string()))?;
        let value = results.result.first().and_then(|result| result.expressions.first());
        match value.map(|expression| &expression.value) {
            None | Some(regorus::Value::Undefined) => Ok(None),
            Some(value) => {
                let json = value.to_json_str().map_err(|error| failed(error.to_string()))?;
                serde_json::from_str(&json).map(Some).map_err(|error| failed(error.to_string()))
            }
        }
    }
}
