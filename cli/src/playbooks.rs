//! The files of the playbooks, read and validated.

pub(crate) mod diagnostics;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use heal_engine::catalog::Catalog;
use heal_engine::playbook::Playbook;
use heal_runtime::library::Library;

use crate::source::{self, Source, stem};
use crate::{guardrails, hooks, notify};

/// Reads files, and the `*.yaml` and `*.yml` of folders, in the order of their names. The files of the guardrails, the hooks and the notifications are no playbooks.
///
/// # Errors
/// A path does not exist or cannot be read, or a folder has no playbooks. Faults inside a file are in its diagnostics.
pub(crate) fn read(paths: &[PathBuf], catalog: &Catalog) -> anyhow::Result<Vec<Source<Playbook>>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else if !is_other(path) {
            files.push(path.clone());
        }
    }
    let parse = |stem: &str, text: &str| {
        let reading = heal_language::playbook::read(stem, text, catalog);
        (reading.playbook, reading.diagnostics)
    };
    let mut sources = files.into_iter().map(|path| Source::read(path, parse)).collect::<anyhow::Result<Vec<_>>>()?;
    source::refuse_duplicates(&mut sources, "playbook", |playbook| &playbook.name);
    Ok(sources)
}

/// Whether a file of a folder of playbooks is something else.
fn is_other(path: &Path) -> bool {
    guardrails::is_guardrails(path) || hooks::is_hooks(path) || notify::is_notify(path)
}

/// The playbooks of a folder, ready to run. Prints every error to standard error.
///
/// # Errors
/// The folder cannot be read, or a playbook in it has an error.
pub(crate) fn library(folder: &Path, catalog: &Catalog) -> anyhow::Result<Arc<Library>> {
    let sources = read_folder(folder, catalog)?;
    let wrong = diagnostics::print_errors(sources.iter().map(Source::faults));
    if !wrong.is_empty() {
        bail!("{} of {} playbooks cannot be used: {}", wrong.len(), sources.len(), wrong.join(", "));
    }
    Ok(Arc::new(Library::new(playbooks(sources))?))
}

/// The usable playbooks of a folder, for commands that only show them, and the files that cannot be used. Prints every error to standard
/// error.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn usable(folder: &Path, catalog: &Catalog) -> anyhow::Result<(Library, Vec<PathBuf>)> {
    let sources = read_folder(folder, catalog)?;
    let wrong = diagnostics::print_errors(sources.iter().map(Source::faults));
    let wrong = wrong.into_iter().map(PathBuf::from).collect();
    Ok((Library::new(playbooks(sources))?, wrong))
}

fn read_folder(folder: &Path, catalog: &Catalog) -> anyhow::Result<Vec<Source<Playbook>>> {
    if !folder.is_dir() {
        bail!("{}: no such folder of playbooks, name one with --playbooks DIR", folder.display());
    }
    read(&[folder.to_owned()], catalog)
}

/// The playbooks of a library as they were read.
pub(crate) fn playbooks_from(library: &Library) -> Vec<Playbook> {
    library.entries().map(|entry| entry.plan.playbook.clone()).collect()
}

/// The playbooks of the files without errors.
pub(crate) fn playbooks(sources: Vec<Source<Playbook>>) -> impl Iterator<Item = Playbook> {
    sources.into_iter().filter_map(|source| source.value)
}

/// Adds the faults of approvers: a group that is not among `groups`, the members of each by name.
pub(crate) fn check_groups(sources: &mut [Source<Playbook>], groups: &BTreeMap<String, Vec<String>>) {
    for source in sources {
        let found = heal_language::playbook::check_groups(&stem(&source.path), &source.text, groups);
        source.diagnostics.extend(found);
    }
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = yaml_files(folder)?;
    files.retain(|file| !is_other(file));
    if files.is_empty() {
        bail!("{}: there is no playbook (*.yaml) in this folder", folder.display());
    }
    Ok(files)
}

/// The `*.yaml` and `*.yml` of a folder, in the order of their names.
///
/// # Errors
/// The folder cannot be read.
pub(crate) fn yaml_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let read_folder = || format!("failed to read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(read_folder)? {
        let path = entry.with_context(read_folder)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let is_yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if is_yaml && !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
