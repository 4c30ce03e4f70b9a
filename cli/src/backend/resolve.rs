//! Resolves the state file or stack to use when zero or several sources name one.
//!
//! Options go before variables, a stack before a state file, and a named backend before the local stack.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use heal_aws::AwsOverrides;
use heal_clients::config::Strings;
use heal_wiring::environment::{DEFAULT_STATE, ENV_QUEUE_URL_PREFIX, ENV_STACK, ENV_STATE, ENV_TABLE};

use super::local_stack::{self, LocalStack};
use crate::environment::get;

/// A backend, not opened yet.
#[derive(Debug, Clone)]
pub(crate) enum BackendRef {
    File(PathBuf),
    Stack(StackRef),
}

/// A deployed stack, not opened yet.
#[derive(Debug, Clone)]
pub(crate) struct StackRef {
    pub name: StackName,
    pub origin: Origin,
    /// AWS settings that go before those of the environment.
    pub overrides: AwsOverrides,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StackName {
    Stack(String),
    /// Table and queues, as the stack's functions have them in their environment.
    Parts {
        table: String,
        queue_url_prefix: String,
    },
}

impl StackRef {
    /// The name for messages: the stack's, or its table's.
    pub(crate) fn display_name(&self) -> &str {
        match &self.name {
            StackName::Stack(name) => name,
            StackName::Parts { table, .. } => table,
        }
    }
}

/// The source that named the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Option,
    Environment,
    /// No source: the local stack exists.
    LocalStack,
}

/// `local` finds the local stack; it is called only if its answer matters.
///
/// # Errors
/// A variable is not text, or one of a pair is missing; or the local stack's file is needed and cannot be read.
pub(super) fn resolve(
    stack: Option<&str>,
    state: Option<&Path>,
    strings: &dyn Strings,
    local: impl FnOnce() -> anyhow::Result<Option<LocalStack>>,
) -> anyhow::Result<BackendRef> {
    if let Some(state) = state {
        return Ok(BackendRef::File(state.to_owned()));
    }
    if let Some((name, origin)) = stack_name(stack, strings)? {
        // An unreadable file does not name this stack.
        let local = local().ok().flatten().filter(|local| name == StackName::Stack(local.name.clone()));
        let overrides = local.map(|local| local.overrides).unwrap_or_default();
        return Ok(BackendRef::Stack(StackRef { name, origin, overrides }));
    }
    if let Some(state) = get(strings, ENV_STATE)? {
        return Ok(BackendRef::File(state.into()));
    }
    match local()? {
        Some(LocalStack { name, overrides }) => {
            Ok(BackendRef::Stack(StackRef { name: StackName::Stack(name), origin: Origin::LocalStack, overrides }))
        }
        None => Ok(BackendRef::File(DEFAULT_STATE.into())),
    }
}

fn stack_name(stack: Option<&str>, strings: &dyn Strings) -> anyhow::Result<Option<(StackName, Origin)>> {
    if let Some(name) = stack {
        return Ok(Some((StackName::Stack(name.to_owned()), Origin::Option)));
    }
    if let Some(name) = get(strings, ENV_STACK)? {
        return Ok(Some((StackName::Stack(name), Origin::Environment)));
    }
    match (get(strings, ENV_TABLE)?, get(strings, ENV_QUEUE_URL_PREFIX)?) {
        (Some(table), Some(queue_url_prefix)) => {
            Ok(Some((StackName::Parts { table, queue_url_prefix }, Origin::Environment)))
        }
        (Some(_), None) => {
            bail!("{ENV_TABLE} is set and {ENV_QUEUE_URL_PREFIX} is not: set both, or name the stack with {ENV_STACK}")
        }
        (None, Some(_)) => {
            bail!("{ENV_QUEUE_URL_PREFIX} is set and {ENV_TABLE} is not: set both, or name the stack with {ENV_STACK}")
        }
        (None, None) => Ok(None),
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Option => "option",
            Self::Environment => "environment",
            Self::LocalStack => local_stack::FILE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Layered;

    /// The file; or the stack, its origin, and `here` if the local stack's settings are used.
    fn resolved(stack: Option<&str>, state: Option<&str>, variables: &[(&str, &str)], local: Option<&str>) -> String {
        let overrides = AwsOverrides { region: Some("local-1".to_owned()), ..AwsOverrides::default() };
        let local = local.map(|name| LocalStack { name: name.to_owned(), overrides });
        let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        match resolve(stack, state.map(Path::new), &Layered::new(Some(variables), [("", ""); 0]), || Ok(local)) {
            Ok(BackendRef::File(path)) => path.display().to_string(),
            Ok(BackendRef::Stack(StackRef { name, origin, overrides })) => {
                let name = match name {
                    StackName::Stack(name) => name,
                    StackName::Parts { table, queue_url_prefix } => format!("{table}+{queue_url_prefix}"),
                };
                format!("{name} ({origin}){}", if overrides.region.is_some() { " here" } else { "" })
            }
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn options_go_before_variables_and_a_named_backend_before_the_local_stack() {
        let parts = [("HEAL_TABLE", "t"), ("HEAL_QUEUE_URL_PREFIX", "p")];
        let all = [("HEAL_STACK", "prod"), ("HEAL_STATE", "env.db"), parts[0], parts[1]];
        let local = Some("dev");
        for (stack, state, variables, local, expected) in [
            (None, None, &[][..], None, ".heal/state.db"),
            (None, None, &[][..], local, "dev (.heal/stack/env) here"),
            (None, None, &[("HEAL_STATE", "env.db")][..], local, "env.db"),
            (None, None, &[("HEAL_STATE", ""), ("HEAL_STACK", "")][..], local, "dev (.heal/stack/env) here"),
            (None, None, &parts[..], local, "t+p (environment)"),
            (None, None, &all[..], local, "prod (environment)"),
            (None, Some("own.db"), &all[..], local, "own.db"),
            (Some("test"), None, &all[..], local, "test (option)"),
            (Some("dev"), None, &all[..], local, "dev (option) here"),
            (None, None, &[("HEAL_STACK", "dev")][..], local, "dev (environment) here"),
            (
                None,
                None,
                &parts[..1],
                None,
                "HEAL_TABLE is set and HEAL_QUEUE_URL_PREFIX is not: set both, or name the stack with HEAL_STACK",
            ),
            (
                None,
                None,
                &parts[1..],
                None,
                "HEAL_QUEUE_URL_PREFIX is set and HEAL_TABLE is not: set both, or name the stack with HEAL_STACK",
            ),
        ] {
            assert_eq!(
                resolved(stack, state, variables, local),
                expected,
                "{stack:?} {state:?} {variables:?} {local:?}"
            );
        }
    }

    #[test]
    fn an_unreadable_file_of_the_local_stack_matters_only_if_no_backend_is_named() {
        let broken = || Err(anyhow::anyhow!("broken"));
        let nothing = [("", ""); 0];
        assert!(resolve(None, None, &nothing, broken).is_err());
        assert!(resolve(Some("prod"), None, &nothing, broken).is_ok());
        assert!(resolve(None, Some(Path::new("own.db")), &nothing, broken).is_ok());
    }
}
