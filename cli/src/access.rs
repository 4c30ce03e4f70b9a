//! The file of the HTTP API's identities and host names.

use std::path::Path;

use anyhow::bail;
use heal_api::doors::access::{Access, FILE_BYTES};
use heal_clients::config::{Env, Strings as _};
use heal_wiring::environment::ENV_OIDC_CLIENT_SECRET;

use crate::{file, source};

/// Reads the file; relative paths in it start at its folder.
///
/// # Errors
/// The file cannot be read; or its faults, all at once.
pub(crate) fn load(path: &Path) -> anyhow::Result<Access> {
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
    Access::read(&value, folder, Env.get(ENV_OIDC_CLIENT_SECRET)?).map_err(faults)
}
