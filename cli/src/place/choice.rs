//! Which state file or stack is meant, where nobody or several say so.
//!
//! Options go before variables, a stack before a state file, and what is named before what happens to be there.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use heal_aws::AwsOverrides;
use heal_clients::config::Strings;

use super::local_stack::{self, LocalStack};

pub(crate) const ENV_STACK: &str = "HEAL_STACK";
pub(crate) const ENV_TABLE: &str = "HEAL_TABLE";
pub(crate) const ENV_QUEUE_URL_PREFIX: &str = "HEAL_QUEUE_URL_PREFIX";
const ENV_STATE: &str = "HEAL_STATE";
const DEFAULT_STATE: &str = ".heal/state.db";

#[derive(Debug, Clone)]
pub(crate) enum Choice {
    File(PathBuf),
    Stack(Site),
}

/// A stack that is meant.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub named: Named,
    pub origin: Origin,
    /// What leads there, besides the environment.
    pub given: AwsOverrides,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Stack(String),
    /// By its parts, as its functions are told.
    Parts {
        table: String,
        queue_url_prefix: String,
    },
}

impl Site {
    /// What people call it.
    pub(crate) fn name(&self) -> &str {
        match &self.named {
            Named::Stack(name) => name,
            Named::Parts { table, .. } => table,
        }
    }
}

/// Who named the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    Option,
    Environment,
    /// Nobody: it is there.
    LocalStack,
}

/// `local` finds the local stack; it is asked where its answer matters.
///
/// # Errors
/// As [`super::PlaceArgs::choose`].
pub(super) fn choose(
    stack: Option<&str>,
    state: Option<&Path>,
    strings: &dyn Strings,
    local: impl FnOnce() -> anyhow::Result<Option<LocalStack>>,
) -> anyhow::Result<Choice> {
    if let Some(state) = state {
        return Ok(Choice::File(state.to_owned()));
    }
    if let Some((named, origin)) = named(stack, strings)? {
        // A file that cannot be read does not name this stack.
        let local = local().ok().flatten().filter(|local| named == Named::Stack(local.name.clone()));
        return Ok(Choice::Stack(Site { named, origin, given: local.map(|local| local.given).unwrap_or_default() }));
    }
    if let Some(state) = get(strings, ENV_STATE)? {
        return Ok(Choice::File(state.into()));
    }
    match local()? {
        Some(LocalStack { name, given }) => {
            Ok(Choice::Stack(Site { named: Named::Stack(name), origin: Origin::LocalStack, given }))
        }
        None => Ok(Choice::File(DEFAULT_STATE.into())),
    }
}

fn named(stack: Option<&str>, strings: &dyn Strings) -> anyhow::Result<Option<(Named, Origin)>> {
    if let Some(name) = stack {
        return Ok(Some((Named::Stack(name.to_owned()), Origin::Option)));
    }
    if let Some(name) = get(strings, ENV_STACK)? {
        return Ok(Some((Named::Stack(name), Origin::Environment)));
    }
    match (get(strings, ENV_TABLE)?, get(strings, ENV_QUEUE_URL_PREFIX)?) {
        (Some(table), Some(queue_url_prefix)) => {
            Ok(Some((Named::Parts { table, queue_url_prefix }, Origin::Environment)))
        }
        (Some(_), None) => bail!("{ENV_TABLE} is set and {ENV_QUEUE_URL_PREFIX} is not: a stack has both"),
        (None, Some(_)) => bail!("{ENV_QUEUE_URL_PREFIX} is set and {ENV_TABLE} is not: a stack has both"),
        (None, None) => Ok(None),
    }
}

/// An empty value counts as unset.
pub(super) fn get(strings: &dyn Strings, key: &'static str) -> anyhow::Result<Option<String>> {
    Ok(strings.get(key).context(key)?.filter(|value| !value.is_empty()))
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

    /// What was chosen, in a word: the file, or the stack, who named it, and whether the local stack's settings lead there.
    fn chosen(stack: Option<&str>, state: Option<&str>, variables: &[(&str, &str)], local: Option<&str>) -> String {
        let given = AwsOverrides { region: Some("local-1".to_owned()), ..AwsOverrides::default() };
        let local = local.map(|name| LocalStack { name: name.to_owned(), given });
        let variables = variables.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        match choose(stack, state.map(Path::new), &Layered::new(Some(variables), [("", ""); 0]), || Ok(local)) {
            Ok(Choice::File(path)) => path.display().to_string(),
            Ok(Choice::Stack(Site { named, origin, given })) => {
                let name = match named {
                    Named::Stack(name) => name,
                    Named::Parts { table, queue_url_prefix } => format!("{table}+{queue_url_prefix}"),
                };
                format!("{name} ({origin}){}", if given.region.is_some() { " here" } else { "" })
            }
            Err(error) => format!("{error:#}"),
        }
    }

    #[test]
    fn options_go_before_variables_and_what_is_named_before_what_is_there() {
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
            (None, None, &parts[..1], None, "HEAL_TABLE is set and HEAL_QUEUE_URL_PREFIX is not: a stack has both"),
            (None, None, &parts[1..], None, "HEAL_QUEUE_URL_PREFIX is set and HEAL_TABLE is not: a stack has both"),
        ] {
            assert_eq!(chosen(stack, state, variables, local), expected, "{stack:?} {state:?} {variables:?} {local:?}");
        }
    }

    #[test]
    fn a_local_stacks_file_that_cannot_be_read_matters_only_where_nothing_is_named() {
        let broken = || Err(anyhow::anyhow!("broken"));
        let nothing = [("", ""); 0];
        assert!(choose(None, None, &nothing, broken).is_err());
        assert!(choose(Some("prod"), None, &nothing, broken).is_ok());
        assert!(choose(None, Some(Path::new("own.db")), &nothing, broken).is_ok());
    }
}
