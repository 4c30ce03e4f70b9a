//! A policy as a program, and the machines that run it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;
use regorus::rvm::vm::RegoVM;

use super::EvaluationError;
use super::bundled::{PACKAGE, Rule, fault, load};

/// Instructions of one evaluation. The largest batch needs a tenth of them.
const MAX_INSTRUCTIONS: usize = 2_000_000;

/// The rule that has all the others.
const ALL: &str = "all_that_is_asked_for";

/// A program, and its machines that are loaded and idle: as many as there were evaluations at the same time.
pub(super) struct Machines {
    program: Arc<Program>,
    idle: Mutex<Vec<RegoVM>>,
}

impl Machines {
    /// Compiles the policy `text` so that all of `rules` can be asked for at once, under their names: a rule that another one stands on is then
    /// evaluated once.
    ///
    /// # Errors
    /// The policy does not compile.
    pub(super) fn new(path: &str, text: &str, rules: &[Rule]) -> Result<Self, EvaluationError> {
        let fields: Vec<_> = rules.iter().map(|Rule { name, .. }| format!("\"{name}\": {name}")).collect();
        let text = format!("{text}\n{ALL} := {{{}}}\n", fields.join(", "));
        let (mut engine, _) = load(path, &text)?;
        let main = regorus::Rc::from(format!("{PACKAGE}.{ALL}"));
        let policy = engine.compile_with_entrypoint(&main).map_err(|error| fault(&error))?;
        let program = Compiler::compile_from_policy(&policy, &[&main]).map_err(|error| fault(&error))?;
        Ok(Self { program, idle: Mutex::default() })
    }

    /// The values of the rules under their names; undefined if one of them is.
    ///
    /// # Errors
    /// The evaluation failed, or needs more than [`MAX_INSTRUCTIONS`].
    pub(super) fn evaluate(&self, input: regorus::Value) -> Result<regorus::Value, EvaluationError> {
        let idle = self.lock().pop();
        let mut machine = idle.unwrap_or_else(|| self.load());
        machine.set_input(input);
        // A machine that failed is not used again.
        let all = machine.execute_entry_point_by_index(0).map_err(|error| fault(&error))?;
        machine.set_input(regorus::Value::Null);
        self.lock().push(machine);
        Ok(all)
    }

    fn load(&self) -> RegoVM {
        let mut machine = RegoVM::new();
        machine.set_strict_builtin_errors(true);
        machine.set_max_instructions(MAX_INSTRUCTIONS);
        machine.load_program(Arc::clone(&self.program));
        machine
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RegoVM>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rule `violations` of a policy with this body evaluates to, twice on one machine.
    fn twice(body: &str) -> [Result<regorus::Value, EvaluationError>; 2] {
        let text =
            format!("package neuralhive.self_healing.playbook_validation\nimport rego.v1\nallow := true\n{body}");
        let (_, rules) = load("test.rego", &text).unwrap();
        let machines = Machines::new("test.rego", &text, &rules).unwrap();
        let ask = || machines.evaluate(regorus::Value::new_object()).map(|all| all["violations"].clone());
        [ask(), ask()]
    }

    #[test]
    fn the_clock_goes_on_from_question_to_question() {
        let [first, second] = twice("violations := time.now_ns()");
        assert_ne!(first.unwrap(), second.unwrap());
    }

    #[test]
    fn an_evaluation_without_an_end_is_an_error() {
        let body =
            "violations := count([1 | some a in numbers.range(1, 9000); some b in numbers.range(1, 9000); a == b])";
        let [first, second] = twice(body);
        assert!(first.is_err() && second.is_err(), "{first:?} {second:?}");
    }
}
