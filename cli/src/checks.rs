//! The files of the scheduled checks, read and validated.

use std::path::{Path, PathBuf};

use anyhow::bail;
use heal_engine::check::Check;
use heal_engine::limit;
use heal_engine::playbook::Playbook;
use heal_language::check;

use crate::playbooks;
use crate::playbooks::diagnostics;
use crate::source::{self, Source};

/// The folder of checks inside a folder of playbooks.
pub(crate) const FOLDER: &str = "checks";

/// The folder of the checks: the named one, else `checks` in the folder of the playbooks, if it exists.
///
/// # Errors
/// The named folder does not exist.
pub(crate) fn folder(named: Option<&Path>, playbooks: &Path) -> anyhow::Result<Option<PathBuf>> {
    match named {
        Some(folder) if folder.is_dir() => Ok(Some(folder.to_owned())),
        Some(folder) => bail!("{}: no such folder of checks", folder.display()),
        None => Ok(Some(playbooks.join(FOLDER)).filter(|folder| folder.is_dir())),
    }
}

/// Names of the checks in the folder of them beside `file`; `None` without such a folder.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn names_beside(file: &Path) -> anyhow::Result<Option<Vec<String>>> {
    let Some(folder) = file.parent().map(|folder| folder.join(FOLDER)).filter(|folder| folder.is_dir()) else {
        return Ok(None);
    };
    let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Ok(Some(playbooks::yaml_files(&folder)?.into_iter().filter_map(stem).collect()))
}

/// Reads the checks of a folder, in the order of their names. With `playbooks`, each incident must start one of them.
///
/// # Errors
/// The folder or a file cannot be read. Faults inside a file are in its diagnostics.
pub(crate) fn read(folder: &Path, playbooks: Option<&[Playbook]>) -> anyhow::Result<Vec<Source<Check>>> {
    let files = playbooks::yaml_files(folder)?;
    let parse = |stem: &str, text: &str| {
        let reading = check::read(stem, text, playbooks);
        (reading.check, reading.diagnostics)
    };
    let mut sources = files.into_iter().map(|path| Source::read(path, parse)).collect::<anyhow::Result<Vec<_>>>()?;
    source::refuse_duplicates(&mut sources, "check", |check| &check.name);
    Ok(sources)
}

/// The checks of a folder, ready to be scheduled. Prints every error to standard error.
///
/// # Errors
/// The folder cannot be read, has too many checks, or a check in it has an error.
pub(crate) fn load(folder: &Path, playbooks: &[Playbook]) -> anyhow::Result<Vec<Check>> {
    let sources = read(folder, Some(playbooks))?;
    let wrong = diagnostics::print_errors(sources.iter().map(Source::faults));
    if !wrong.is_empty() {
        bail!("{} of {} checks cannot be used: {}", wrong.len(), sources.len(), wrong.join(", "));
    }
    if sources.len() > limit::CHECKS {
        bail!("{}: has {} checks, the limit is {}", folder.display(), sources.len(), limit::CHECKS);
    }
    Ok(sources.into_iter().filter_map(|source| source.value).collect())
}
