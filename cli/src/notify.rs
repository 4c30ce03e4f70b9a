//! The file of the notifications, read and validated, and the notifier that follows it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use heal_engine::notice::Rules;
use heal_engine::playbook::Playbook;
use heal_language::code;
use heal_language::notify;

use crate::playbooks::diagnostics;
use crate::source::{self, Source};
use crate::{actions, out};

mod home;

pub(crate) use home::{courier, notifier};

/// The file in a folder of playbooks.
pub(crate) const FILE: &str = "notify.yaml";
/// The ending that playbooks may have too.
const MISNAMED: &str = "notify.yml";

/// Whether a file in a folder of playbooks is that of the notifications, rightly named or not.
pub(crate) fn is_notify(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == notify::FILE_STEM)
}

/// The named file, else `notify.yaml` in the folder of the playbooks, if it exists.
///
/// # Errors
/// The named file does not exist, or the folder has a `notify.yml`, which would silently not be read.
pub(crate) fn file(named: Option<&Path>, playbooks: &Path) -> anyhow::Result<Option<PathBuf>> {
    match named {
        Some(file) if file.is_file() => Ok(Some(file.to_owned())),
        Some(file) => bail!("{}: the file of notifications does not exist", file.display()),
        None if playbooks.join(MISNAMED).is_file() => {
            bail!("{}: notifications are read from {FILE} only, rename the file", playbooks.join(MISNAMED).display())
        }
        None => Ok(Some(playbooks.join(FILE)).filter(|file| file.is_file())),
    }
}

/// Reads the file. Without `playbooks`, their names are not checked.
///
/// # Errors
/// It cannot be read. Faults inside it are in its diagnostics.
pub(crate) fn read(file: &Path, playbooks: Option<&[Playbook]>) -> anyhow::Result<Source<Rules>> {
    Source::read(file.to_owned(), |stem, text| {
        let mut reading = notify::read(stem, text, &actions::catalog(), playbooks);
        if let Some(Err(invalid)) = reading.rules.as_ref().map(heal_notify::quiet::check) {
            reading.rules = None;
            reading.diagnostics.push(source::diagnostic(file, code::WRONG_VALUE, invalid.to_string()));
        }
        (reading.rules, reading.diagnostics)
    })
}

/// The rules of this home; those that tell nobody anything without a file. Prints every error to standard error, and logs what is in force.
///
/// # Errors
/// As [`file()`]; or the file cannot be read or has an error.
pub(crate) fn load(named: Option<&Path>, folder: &Path, playbooks: &[Playbook]) -> anyhow::Result<Arc<Rules>> {
    let Some(file) = file(named, folder)? else {
        tracing::warn!(file = %folder.join(FILE).display(), "nobody is told of anything: there is no file of notifications");
        return Ok(Arc::default());
    };
    let source = read(&file, Some(playbooks))?;
    diagnostics::print_errors([source.faults()].into_iter());
    let Some(rules) = source.value else {
        bail!("{} cannot be used, nothing is started; `heal notify lint` shows every fault", file.display());
    };
    tracing::info!(origin = %file.display(), channels = rules.channels.len(), routes = rules.routes.len(), "people are told");
    Ok(Arc::new(rules))
}

/// One line about the rules, for people.
pub(crate) fn summary(rules: &Rules) -> String {
    format!("{}, {}", out::plural(rules.channels.len(), "channel"), out::plural(rules.routes.len(), "route"))
}
