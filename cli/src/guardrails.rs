//! The file of the guardrails, read and validated.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use heal_clients::config::Strings;
use heal_engine::playbook::Playbook;
use heal_guard::{Guardrails, Storms};
use heal_language::guardrails;
use heal_wiring::environment::{ENV_GUARDRAILS, ENV_PLAYBOOKS};

use crate::playbooks::diagnostics;
use crate::source::Source;
use crate::{actions, out};

/// The file in a folder of playbooks.
pub(crate) const FILE: &str = "guardrails.yaml";
/// The folder of playbooks if nothing names one.
const DEFAULT_PLAYBOOKS: &str = "playbooks";
/// The ending that playbooks may have too.
const MISNAMED: &str = "guardrails.yml";

/// Whether a file in a folder of playbooks is that of the guardrails, rightly named or not.
pub(crate) fn is_guardrails(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == guardrails::FILE_STEM)
}

/// The file of the guardrails: the named one, else `guardrails.yaml` in the folder of the playbooks, if it exists.
///
/// # Errors
/// The named file does not exist, or the folder has a `guardrails.yml`, which would silently not be read.
pub(crate) fn file(named: Option<&Path>, playbooks: &Path) -> anyhow::Result<Option<PathBuf>> {
    match named {
        Some(file) if file.is_file() => Ok(Some(file.to_owned())),
        Some(file) => {
            bail!("{}: the file of guardrails does not exist; an empty file means the defaults", file.display())
        }
        None if playbooks.join(MISNAMED).is_file() => {
            bail!("{}: guardrails are read from {FILE} only, rename the file", playbooks.join(MISNAMED).display())
        }
        None => Ok(Some(playbooks.join(FILE)).filter(|file| file.is_file())),
    }
}

/// Reads the file. Without `playbooks`, their names and steps are not checked; nor are those of checks without a folder of them beside it.
///
/// # Errors
/// It cannot be read. Faults inside it are in its diagnostics.
pub(crate) fn read(file: &Path, playbooks: Option<&[Playbook]>) -> anyhow::Result<Source<Guardrails>> {
    let checks = crate::checks::names_beside(file)?;
    Source::read(file.to_owned(), |stem, text| {
        let reading = guardrails::read(stem, text, &actions::catalog(), playbooks, checks.as_deref());
        (reading.guardrails, reading.diagnostics)
    })
}

/// The guardrails of this home, and the file that they are from; the defaults without one. Prints every error to standard error.
///
/// # Errors
/// As [`file()`]; or the file cannot be read or has an error.
pub(crate) fn load(named: Option<&Path>, folder: &Path, playbooks: &[Playbook]) -> anyhow::Result<Loaded> {
    let Some(file) = file(named, folder)? else { return Ok(Loaded::default()) };
    let source = read(&file, Some(playbooks))?;
    diagnostics::print_errors([source.faults()].into_iter());
    let Some(guardrails) = source.value else {
        bail!("{} cannot be used, nothing is started; `heal guardrails lint` shows every fault", file.display());
    };
    Ok(Loaded { guardrails: Arc::new(guardrails), file: Some(file) })
}

/// The guardrails of this home for commands that work on its runs alone: the file that the variables name, or that of the folder of playbooks.
///
/// # Errors
/// As [`load`].
pub(crate) fn of_environment(strings: &dyn Strings) -> anyhow::Result<Arc<Guardrails>> {
    let path = |name: &str| strings.get(name).map(|value| value.map(PathBuf::from));
    let folder = path(ENV_PLAYBOOKS)?.unwrap_or_else(|| PathBuf::from(DEFAULT_PLAYBOOKS));
    let Some(file) = file(path(ENV_GUARDRAILS)?.as_deref(), &folder)? else { return Ok(Arc::default()) };
    match read(&file, None)?.value {
        Some(guardrails) => Ok(Arc::new(guardrails)),
        None => bail!("{} cannot be used; `heal guardrails lint` shows every fault", file.display()),
    }
}

/// Guardrails that are in force.
#[derive(Debug, Clone, Default)]
pub(crate) struct Loaded {
    pub guardrails: Arc<Guardrails>,
    /// `None`: there is no file, and the defaults hold.
    pub file: Option<PathBuf>,
}

impl Loaded {
    /// Where they are from, for people.
    pub(crate) fn origin(&self) -> String {
        self.file
            .as_ref()
            .map_or_else(|| "the defaults, there is no file".to_owned(), |file| file.display().to_string())
    }

    /// Logs what is in force.
    pub(crate) fn log(&self) {
        let digest = self.guardrails.digest();
        tracing::info!(origin = %self.origin(), %digest, rules = rules(&self.guardrails), "guardrails are in force");
    }
}

/// The number of rules that a file sets.
pub(crate) fn rules(guardrails: &Guardrails) -> usize {
    let Guardrails {
        cooldowns,
        budgets,
        repeats: _,
        approvals,
        autonomy,
        admission,
        windows,
        scope,
        storms,
        dependencies,
    } = guardrails;
    let live = &admission.live;
    cooldowns.len()
        + budgets.len()
        + approvals.groups.len()
        + autonomy.len()
        + live.playbooks.len()
        + live.services.len()
        + windows.len()
        + scope.len()
        + dependencies.len()
        + storms.0.iter().filter(|rule| !Storms::default().0.contains(rule)).count()
}

/// One line about them, for people.
pub(crate) fn summary(guardrails: &Guardrails) -> String {
    let digest = guardrails.digest();
    let digest: String = digest.as_str().chars().take(12).collect();
    format!("{}, digest {digest}", out::plural(rules(guardrails), "rule"))
}
