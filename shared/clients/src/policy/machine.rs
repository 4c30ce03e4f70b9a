//! A policy as a program, and the machines that run it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use regorus::languages::rego::compiler::Compiler;
use regorus::rvm::program::Program;
use regorus::rvm::vm::RegoVM;

use super::EvaluationError;
use super::bundled::{PACKAGE, Rule, fault};

/// Instructions of one rule's evaluation. The largest batch needs a tenth of them.
const MAX_INSTRUCTIONS: usize = 2_000_000;

/// A program, and its machines that are loaded and idle: as many as there were evaluations at the same time.
pub(super) struct Machines {
    program: Arc<Program>,
    idle: Mutex<Vec<RegoVM>>,
}

impl Machines {
    /// Compiles the policy of `engine` so that `rules` can be asked for.
    ///
    /// # Errors
    /// The policy does not compile.
    pub(super) fn new(engine: &mut regorus::Engine, rules: &[Rule]) -> Result<Self, EvaluationError> {
        let main = regorus::Rc::from(format!("{PACKAGE}.allow"));
        let policy = engine.compile_with_entrypoint(&main).map_err(|error| fault(&error))?;
        let paths: Vec<&str> = rules.iter().map(|rule| rule.path.as_str()).collect();
        let program = Compiler::compile_from_policy(&policy, &paths).map_err(|error| fault(&error))?;
        Ok(Self { program, idle: Mutex::default() })
    }

    /// The values of the rules, in their order.
    ///
    /// # Errors
    /// The evaluation failed, or needs more than [`MAX_INSTRUCTIONS`].
    pub(super) fn evaluate(
        &self,
        input: regorus::Value,
        rules: &[Rule],
    ) -> Result<Vec<regorus::Value>, EvaluationError> {
        let idle = self.lock().pop();
        let mut machine = idle.unwrap_or_else(|| self.load());
        machine.set_input(input);
        let ask = |rule: &Rule| machine.execute_entry_point_by_name(&rule.path).map_err(|error| fault(&error));
        // A machine that failed is not used again.
        let values = rules.iter().map(ask).collect::<Result<Vec<_>, _>>()?;
        machine.set_input(regorus::Value::Null);
        self.lock().push(machine);
        Ok(values)
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
    use crate::policy::bundled::load;

    /// What the rule `violations` of a policy with this body evaluates to, twice on one machine.
    fn twice(body: &str) -> [Result<regorus::Value, EvaluationError>; 2] {
        let text =
            format!("package neuralhive.self_healing.playbook_validation\nimport rego.v1\nallow := true\n{body}");
        let (mut engine, rules) = load("test.rego", &text).unwrap();
        let machines = Machines::new(&mut engine, &rules).unwrap();
        let ask = || machines.evaluate(regorus::Value::new_object(), &rules).map(|mut values| values.remove(1));
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
