//! The file of the HTTP API's identities and host names.

use std::path::Path;

use anyhow::{Context as _, bail};
use heal_api::doors::access::{Access, FILE_BYTES};
use heal_api::doors::token::{TokenSource, Tokens};
use heal_clients::config::{Env, Strings as _};
use heal_wiring::environment::ENV_OIDC_CLIENT_SECRET;
use serde_json::Value;

use crate::{file, source};

/// Reads the file; relative paths in it start at its folder.
///
/// # Errors
/// The file cannot be read; or its faults, all at once.
pub(crate) fn load(path: &Path) -> anyhow::Result<Access> {
    read(path).map(|(access, _)| access)
}

/// The file as the function `api` is deployed with it: its API tokens are in it, each as its hash.
///
/// # Errors
/// As [`load`]; or the file of the API tokens cannot be used.
pub(crate) fn compile(path: &Path) -> anyhow::Result<String> {
    let (access, mut value) = read(path)?;
    if let (Some(TokenSource::File(tokens)), Some(fields)) = (access.tokens, value.as_object_mut()) {
        let entries = Tokens::load(&tokens, false).map_err(anyhow::Error::msg);
        let entries = entries.with_context(|| format!("cannot use the file of API tokens {}", tokens.display()))?;
        fields.insert("tokens".to_owned(), serde_json::to_value(entries)?);
    }
    Ok(value.to_string())
}

fn read(path: &Path) -> anyhow::Result<(Access, Value)> {
    let text = file::read_text(path, FILE_BYTES)?;
    let faults = |lines: Vec<String>| anyhow::anyhow!("{} cannot be used:\n  {}", path.display(), lines.join("\n  "));
    let value = heal_language::configuration(&source::stem(path), &text).map_err(|diagnostics| {
        let line =
            |one: heal_language::Diagnostic| format!("line {}, column {}: {}", one.line, one.column, one.message);
        faults(diagnostics.into_iter().map(line).collect())
    })?;
    if value.is_null() {
        bail!("{} is empty, expected `tokens` or `oidc` (docs/access.md)", path.display());
    }
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let access = Access::read(&value, folder, Env.get(ENV_OIDC_CLIENT_SECRET)?).map_err(faults)?;
    Ok((access, value))
}
