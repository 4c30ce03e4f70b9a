//! The files of the scheduled checks, read and validated.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::bail;
use heal_engine::check::Check;
use heal_engine::limit;
use heal_engine::playbook::Playbook;
use heal_language::check::{self, Reading};
use heal_language::code;

use crate::playbooks::diagnostics::{self, Faults};
use crate::playbooks::{self, diagnostic};

/// The folder of checks inside a folder of playbooks.
pub(crate) const FOLDER: &str = "checks";

/// One file, read.
#[derive(Debug)]
pub(crate) struct Source {
    pub path: PathBuf,
    /// Empty if the file is too large or not text.
    pub text: String,
    pub reading: Reading,
}

impl Source {
    pub(crate) fn faults(&self) -> Faults<'_> {
        Faults { path: &self.path, text: &self.text, diagnostics: &self.reading.diagnostics }
    }
}

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

/// Reads the checks of a folder, in the order of their names. With `playbooks`, each incident must start one of them.
///
/// # Errors
/// The folder or a file cannot be read. Faults inside a file are in its [`Reading`].
pub(crate) fn read(folder: &Path, playbooks: Option<&[Playbook]>) -> anyhow::Result<Vec<Source>> {
    let files = playbooks::yaml_files(folder)?;
    let mut sources = files.into_iter().map(|path| source(path, playbooks)).collect::<anyhow::Result<Vec<_>>>()?;
    refuse_duplicates(&mut sources);
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
    Ok(sources.into_iter().filter_map(|source| source.reading.check).collect())
}

fn source(path: PathBuf, playbooks: Option<&[Playbook]>) -> anyhow::Result<Source> {
    Ok(match playbooks::text(&path)? {
        Ok(text) => Source { reading: check::read(&playbooks::stem(&path), &text, playbooks), path, text },
        Err(fault) => Source { path, text: String::new(), reading: Reading { check: None, diagnostics: vec![fault] } },
    })
}

/// Refuses two files of one check, such as `a.yaml` and `a.yml`: they would share one state.
fn refuse_duplicates(sources: &mut [Source]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for source in sources {
        let Some(check) = &source.reading.check else { continue };
        if let Some(other) = first.get(&check.name) {
            let message = format!("check {} is in {} already", check.name, other.display());
            source.reading.diagnostics.push(diagnostic(&source.path, code::DUPLICATE_NAME, message));
            source.reading.check = None;
        } else {
            first.insert(check.name.clone(), source.path.clone());
        }
    }
}
