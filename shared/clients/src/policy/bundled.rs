//! The bundled policy, evaluated in this process.

use std::fmt;

use serde::Deserialize as _;
use serde_json::Value;

use super::EvaluationError;
use super::decision::Answer;
use super::machine::Machines;

/// The Rego text of the bundled policy.
pub const BUNDLED_POLICY: &str = include_str!("../../../../policies/self_healing/playbook_validation.rego");

/// The Rego text of its tests.
pub const BUNDLED_POLICY_TESTS: &str = include_str!("../../../../policies/self_healing/playbook_validation_test.rego");

/// The package of the policy, on a server as here.
pub(super) const PACKAGE: &str = "data.neuralhive.self_healing.playbook_validation";

/// A compiled policy. One per process is enough.
pub struct Bundled {
    evaluator: Evaluator,
    /// The rules that a decision is read from, as far as the policy has them.
    rules: Vec<Rule>,
}

/// What evaluates a policy.
enum Evaluator {
    /// Takes a built-in function that fails for undefined, which could remove a violation: for the bundled text alone, whose functions get
    /// nothing that they fail on (compared with the other evaluator over thousands of inputs).
    Program(Machines),
    /// Walks the text, five to eight times slower. A built-in function that fails is an error.
    Text(Box<regorus::Engine>),
}

/// A rule of the policy.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// As evaluators know it.
    pub(super) path: String,
}

impl fmt::Debug for Bundled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundled").finish_non_exhaustive()
    }
}

impl Bundled {
    /// Compiles the bundled policy to a program.
    ///
    /// # Errors
    /// The text does not compile: a fault of the build.
    pub fn new() -> Result<Self, EvaluationError> {
        let path = "playbook_validation.rego";
        let (_, rules) = load(path, BUNDLED_POLICY)?;
        Ok(Self { evaluator: Evaluator::Program(Machines::new(path, BUNDLED_POLICY, &rules)?), rules })
    }

    /// Compiles `text`, any policy of the same package.
    ///
    /// # Errors
    /// The text does not compile; the error names `path`.
    pub fn of(path: &str, text: &str) -> Result<Self, EvaluationError> {
        let (mut engine, rules) = load(path, text)?;
        engine.set_strict_builtin_errors(true);
        // The first evaluation compiles; copies are then ready.
        engine.set_input(regorus::Value::new_object());
        engine.eval_rule(format!("{PACKAGE}.allow")).map_err(|error| fault(&error))?;
        Ok(Self { evaluator: Evaluator::Text(Box::new(engine)), rules })
    }

    /// Evaluates the policy on `input`, its whole input document.
    ///
    /// # Errors
    /// The evaluation failed, or its result is not a decision.
    pub fn evaluate(&self, input: &Value) -> Result<Answer, EvaluationError> {
        let input = regorus::Value::deserialize(input).map_err(|error| fault(&error))?;
        let document = match &self.evaluator {
            Evaluator::Program(machines) => json(&machines.evaluate(input)?)?,
            Evaluator::Text(engine) => {
                let mut engine = engine.clone();
                engine.set_input(input);
                let mut document = serde_json::Map::new();
                for rule in &self.rules {
                    let value = engine.eval_rule(rule.path.clone()).map_err(|error| fault(&error))?;
                    if value != regorus::Value::Undefined {
                        document.insert(rule.name.to_owned(), json(&value)?);
                    }
                }
                document.into()
            }
        };
        Answer::read(Some(&document)).map_err(EvaluationError)
    }
}

/// An engine with the policy, and its rules.
pub(super) fn load(path: &str, text: &str) -> Result<(regorus::Engine, Vec<Rule>), EvaluationError> {
    let mut engine = regorus::Engine::new();
    engine.add_policy(path.to_owned(), text.to_owned()).map_err(|error| fault(&error))?;
    let optional = ["require_approval", "approvers"].into_iter().filter(|name| text.contains(name));
    let names = ["allow", "violations"].into_iter().chain(optional);
    Ok((engine, names.map(|name| Rule { name, path: format!("{PACKAGE}.{name}") }).collect()))
}

fn json(value: &regorus::Value) -> Result<Value, EvaluationError> {
    serde_json::to_value(value).map_err(|error| fault(&error))
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

    #[test]
    fn a_batch_of_the_largest_size_is_answered() {
        let policy = Bundled::new().unwrap();
        let ask = |tickets: Vec<String>| {
            let resource = json!({"action": "reallocate_ticket", "reason": "late", "affected_tickets": tickets});
            policy.evaluate(&json!({"resource": resource, "context": {}})).unwrap()
        };
        // The last one is the only ticket with a name.
        let blank = vec![" ".to_owned(); 20_000];
        assert!(!ask(blank.clone()).allow);
        assert!(ask(blank.into_iter().chain(["t-1".to_owned()]).collect()).allow);
    }

    #[test]
    fn a_question_leaves_nothing_behind_for_the_next_one() {
        let policy = Bundled::new().unwrap();
        let resource = json!({"action": "reallocate_ticket", "ticket_id": "t-1", "reason": "late"});
        let question = |minutes: u64| {
            let at = |minute: u64| minute * 60_000_000_000;
            json!({"resource": resource, "context": {"last_reallocation_timestamp": at(10), "now_ns": at(10 + minutes)}})
        };
        for _ in 0..3 {
            assert!(!policy.evaluate(&question(4)).unwrap().allow);
            assert!(policy.evaluate(&question(6)).unwrap().allow);
            assert!(policy.evaluate(&json!("no document")).is_ok_and(|answer| !answer.allow));
        }
    }
}
