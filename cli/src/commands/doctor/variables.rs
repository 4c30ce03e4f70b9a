//! Every environment variable that `heal` reads, with its value and source.

use heal_clients::config::{self, Kind, Source, Strings, hide_credentials};
use heal_wiring::environment::{self, ENV_QUEUE_URL_PREFIX, ENV_STACK, ENV_TABLE};

use super::findings::Variable;
use crate::backend::{BackendRef, StackName, StackRef};

/// The variables of the table, those of the clients first and checked.
pub(super) fn list(strings: &dyn Strings, backend: &BackendRef) -> Vec<Variable> {
    let checked = config::describe(strings).into_iter().map(Variable::from);
    let is_checked = |name: &str| config::VARIABLES.iter().any(|variable| variable.name == name);
    let others = environment::all().filter(|it| it.readers.include_heal() && !is_checked(it.name));
    checked.chain(others.map(|variable| stack_variable(plain(variable, strings), backend))).collect()
}

fn plain(variable: &config::Variable, strings: &dyn Strings) -> Variable {
    let (value, problem) = match strings.get(variable.name) {
        Ok(value) => (value.filter(|value| !value.is_empty()), None),
        Err(error) => (None, Some(format!("{} is {error}", variable.name))),
    };
    let source = if value.is_some() { Source::Environment } else { Source::Default };
    let value = match (value, variable.kind) {
        (Some(_), Kind::Secret) => Some("***".to_owned()),
        (Some(value), _) => Some(hide_credentials(&value)),
        (None, _) => variable.default.map(ToOwned::to_owned),
    };
    Variable { name: variable.name, value, source: source.to_string(), purpose: variable.purpose, problem }
}

/// The variables that name a stack show the stack that commands work on, and whether the variable named it.
fn stack_variable(variable: Variable, backend: &BackendRef) -> Variable {
    let in_effect = match backend {
        BackendRef::Stack(StackRef { name, origin, .. }) => match (name, variable.name) {
            (StackName::Stack(name), ENV_STACK) => Some((name, origin)),
            (StackName::Parts { table, .. }, ENV_TABLE) => Some((table, origin)),
            (StackName::Parts { queue_url_prefix, .. }, ENV_QUEUE_URL_PREFIX) => Some((queue_url_prefix, origin)),
            (StackName::Stack(_) | StackName::Parts { .. }, _) => None,
        },
        BackendRef::File(_) => None,
    };
    let names_stack = [ENV_STACK, ENV_TABLE, ENV_QUEUE_URL_PREFIX].contains(&variable.name);
    match in_effect {
        Some((value, origin)) => Variable { value: Some(value.clone()), source: origin.to_string(), ..variable },
        // The variable is set, but another source goes before it.
        None if names_stack && variable.value.is_some() => {
            Variable { source: "environment, not used".to_owned(), ..variable }
        }
        None => variable,
    }
}
