//! Runs the tests of a policy in this process, as `opa test` does.

use super::EvaluationError;
use super::bundled::fault;

/// A Rego file.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    /// Its name in errors.
    pub path: &'a str,
    /// Its source.
    pub text: &'a str,
}

/// The result of one `test_…` rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegoTest {
    /// The rule with its package, such as `data.….test_…`.
    pub name: String,
    /// Whether the rule is `true`.
    pub passed: bool,
    /// The evaluator's error, if it could not evaluate the rule.
    pub error: Option<String>,
}

/// Evaluates every rule whose name starts with `test_`; a test passes if its rule is `true`.
///
/// # Errors
/// A module cannot be compiled.
pub fn run_rego_tests(modules: &[Module<'_>]) -> Result<Vec<RegoTest>, EvaluationError> {
    let mut engine = regorus::Engine::new();
    let mut names = Vec::new();
    for module in modules {
        let package =
            engine.add_policy(module.path.to_owned(), module.text.to_owned()).map_err(|error| fault(&error))?;
        names.extend(test_rules(module.text).map(|rule| format!("{package}.{rule}")));
    }
    names.dedup();
    let run = |name: String| {
        let mut engine = engine.clone();
        match engine.eval_rule(name.clone()) {
            Ok(value) => RegoTest { name, passed: value == regorus::Value::from(true), error: None },
            Err(error) => RegoTest { name, passed: false, error: Some(fault(&error).0) },
        }
    };
    Ok(names.into_iter().map(run).collect())
}

/// The names of rules that start a line with `test_`, as formatted Rego has them.
fn test_rules(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| line.starts_with("test_")).filter_map(|line| {
        let end = line.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(line.len());
        line.get(..end)
    })
}
