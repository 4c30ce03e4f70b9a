//! The bundled policy, evaluated in this process.

use std::fmt;

use serde_json::Value;

use super::EvaluationError;
use super::decision::Answer;

/// The Rego text of the bundled policy.
pub const BUNDLED_POLICY: &str = include_str!("../../../../policies/self_healing/playbook_validation.rego");

/// The Rego text of its tests.
pub const BUNDLED_POLICY_TESTS: &str = include_str!("../../../../policies/self_healing/playbook_validation_test.rego");

/// The package of the policy, on a server as here.
const PACKAGE: &str = "data.neuralhive.self_healing.playbook_validation";

/// A compiled policy. One per process is enough: each evaluation works on a copy.
pub struct Bundled {
    engine: regorus::Engine,
    /// The rules that a decision is read from, as far as the policy has them.
    rules: Vec<&'static str>,
}

impl fmt::Debug for Bundled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundled").finish_non_exhaustive()
    }
}

impl Bundled {
    /// Compiles the bundled policy.
    ///
    /// # Errors
    /// The text does not compile: a fault of the build.
    pub fn new() -> Result<Self, EvaluationError> {
        Self::of("playbook_validation.rego", BUNDLED_POLICY)
    }

    /// Compiles `text`, a policy of the same package.
    ///
    /// # Errors
    /// The text does not compile; the error names `path`.
    pub fn of(path: &str, text: &str) -> Result<Self, EvaluationError> {
        let mut engine = regorus::Engine::new();
        // A built-in function that fails is an error. As `undefined` it would silently remove a violation.
        engine.set_strict_builtin_errors(true);
        engine.add_policy(path.to_owned(), text.to_owned()).map_err(|error| fault(&error))?;
        // The first evaluation compiles; copies are then ready.
        engine.set_input(regorus::Value::new_object());
        engine.eval_rule(format!("{PACKAGE}.allow")).map_err(|error| fault(&error))?;
        let is_defined = |name: &&str| text.contains(name);
        let optional = ["require_approval", "approvers"].into_iter().filter(is_defined);
        Ok(Self { engine, rules: ["allow", "violations"].into_iter().chain(optional).collect() })
    }

    /// Evaluates the policy on `input`, its whole input document.
    ///
    /// # Errors
    /// The evaluation failed, or its result is not a decision.
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
        for name in self.rules.iter().copied() {
            if let Some(value) = rule(name)? {
                document.insert(name.to_owned(), value);
            }
        }
        Answer::read(Some(&document.into())).map_err(EvaluationError)
    }
}

/// An evaluator's error in one line; the rest only quotes the policy.
pub(super) fn fault(error: &impl fmt::Display) -> EvaluationError {
    EvaluationError(crate::error::one_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::{Decision, DecisionSource};
    use serde_json::json;

    use super::*;

    /// The answer of a policy that denies everything on Thursdays in `zone`.
    fn closed_on_a_day(zone: &str) -> Result<Answer, EvaluationError> {
        let text = format!(
            r#"package neuralhive.self_healing.playbook_validation
import rego.v1
violations contains {{"rule": "closed", "message": "closed", "severity": "high"}} if time.weekday([input.now_ns, "{zone}"]) == "Thursday"
default allow := false
allow if count(violations) == 0"#
        );
        // The epoch was a Thursday.
        Bundled::of("closed.rego", &text)?.evaluate(&json!({"now_ns": 0}))
    }

    #[test]
    fn the_policy_of_the_documentation_asks_about_a_workflow_that_runs_and_denies_one_without_a_name() {
        let page = include_str!("../../../../docs/policy.md");
        let text = page.split("```").find_map(|part| part.strip_prefix("rego\n")).unwrap();
        let policy = Bundled::of("documented.rego", text).unwrap();
        for (workflow, state, expected) in
            [("wf-1", "RUNNING", "require_approval"), ("wf-1", "PAUSED", "allow"), ("", "RUNNING", "deny")]
        {
            let input = json!({
                "resource": {"action": "restart_workflow", "workflow_id": workflow},
                "context": {"workflow_state": state},
            });
            let decision = policy.evaluate(&input).unwrap().into_decision(DecisionSource::Bundled, None);
            assert_eq!(decision.as_str(), expected, "{input}");
            if let Decision::RequireApproval { approvers, violations, .. } = decision {
                assert_eq!((approvers, violations[0].rule.as_str()), (vec!["oncall".to_owned()], "running"));
            }
        }
    }

    #[test]
    fn a_time_zone_that_is_not_in_the_build_is_an_error_and_never_an_allow() {
        assert!(!closed_on_a_day("UTC").unwrap().allow);
        assert!(closed_on_a_day("Mars/Olympus_Mons").is_err());
    }
}
