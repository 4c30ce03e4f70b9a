//! The file of the hooks, read and validated.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use heal_clients::config::Strings;
use heal_engine::playbook::Playbook;
use heal_hooks::{Hooks, HooksFile, Verifier};
use heal_language::hooks;

use crate::playbooks::diagnostics;
use crate::source::Source;

/// The file in a folder of playbooks.
pub(crate) const FILE: &str = "hooks.yaml";

/// Whether a file in a folder of playbooks is that of the hooks.
pub(crate) fn is_hooks(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == hooks::FILE_STEM)
}

/// The file of the hooks: the named one, else `hooks.yaml` in the folder of the playbooks, if it exists.
///
/// # Errors
/// The named file does not exist.
pub(crate) fn file(named: Option<&Path>, playbooks: &Path) -> anyhow::Result<Option<PathBuf>> {
    match named {
        Some(file) if file.is_file() => Ok(Some(file.to_owned())),
        Some(file) => bail!("{}: the file of hooks does not exist", file.display()),
        None => Ok(Some(playbooks.join(FILE)).filter(|file| file.is_file())),
    }
}

/// Reads the file. Without `playbooks`, nothing is said about which of them an incident starts.
///
/// # Errors
/// It cannot be read. Faults inside it are in its diagnostics.
pub(crate) fn read(file: &Path, playbooks: Option<&[Playbook]>) -> anyhow::Result<Source<HooksFile>> {
    Source::read(file.to_owned(), |stem, text| {
        let reading = hooks::read(stem, text, playbooks);
        (reading.hooks, reading.diagnostics)
    })
}

/// The hooks of this home, and what verifies deliveries by the secrets of `strings`; without a file no alert becomes an incident. Prints every
/// error to standard error.
///
/// # Errors
/// As [`file()`]; or the file cannot be read or has an error, or a secret is missing or too short.
pub(crate) async fn load(
    named: Option<&Path>,
    folder: &Path,
    playbooks: &[Playbook],
    strings: &dyn Strings,
) -> anyhow::Result<Option<(Hooks, Verifier)>> {
    let Some(file) = file(named, folder)? else { return Ok(None) };
    let source = read(&file, Some(playbooks))?;
    diagnostics::print_errors([source.faults()].into_iter());
    let Some(hooks) = source.value else {
        bail!("{} cannot be used, nothing is started; `heal hook lint` shows every fault", file.display());
    };
    let (digest, rules) = (hooks.digest(), hooks.rules.len());
    tracing::info!(file = %file.display(), %digest, rules, "hooks are in force");
    let secret = async |reference: &str| match reference.split_once(':') {
        Some(("env", name)) => strings.get(name).map(Option::unwrap_or_default).map_err(|error| error.to_string()),
        Some(_) | None => Err("only a deployed stack reads secrets from there, use `env:NAME`".to_owned()),
    };
    let verifier = heal_api::verifier(&hooks, secret).await.with_context(|| file.display().to_string())?;
    Ok(Some((Hooks::new(hooks)?, verifier)))
}
