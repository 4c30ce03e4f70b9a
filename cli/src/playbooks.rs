//! The files of the playbooks, read and validated.

pub(crate) mod diagnostics;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use diagnostics::Faults;
use heal_engine::catalog::Catalog;
use heal_engine::limit;
use heal_engine::playbook::Playbook;
use heal_language::playbook::Reading;
use heal_language::{Diagnostic, Severity, Span, code};
use heal_runtime::library::Library;

use crate::{guardrails, notify};

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

/// Reads files, and the `*.yaml` and `*.yml` of folders, in the order of their names. The file of the guardrails is not a playbook.
///
/// # Errors
/// A path does not exist or cannot be read, or a folder has no playbooks. Faults inside a file are in its [`Reading`].
pub(crate) fn read(paths: &[PathBuf], catalog: &Catalog) -> anyhow::Result<Vec<Source>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else if !guardrails::is_guardrails(path) && !notify::is_notify(path) {
            files.push(path.clone());
        }
    }
    let mut sources = files.into_iter().map(|path| source(path, catalog)).collect::<anyhow::Result<Vec<_>>>()?;
    refuse_duplicates(&mut sources);
    Ok(sources)
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

fn read_folder(folder: &Path, catalog: &Catalog) -> anyhow::Result<Vec<Source>> {
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
pub(crate) fn playbooks(sources: Vec<Source>) -> impl Iterator<Item = Playbook> {
    sources.into_iter().filter_map(|source| source.reading.playbook)
}

/// Adds the faults of approvers: a group that is not among `groups`, the members of each by name.
pub(crate) fn check_groups(sources: &mut [Source], groups: &BTreeMap<String, Vec<String>>) {
    for source in sources {
        let found = heal_language::playbook::check_groups(&stem(&source.path), &source.text, groups);
        source.reading.diagnostics.extend(found);
    }
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = yaml_files(folder)?;
    files.retain(|file| !guardrails::is_guardrails(file) && !notify::is_notify(file));
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

fn source(path: PathBuf, catalog: &Catalog) -> anyhow::Result<Source> {
    Ok(match text(&path)? {
        Ok(text) => Source { reading: heal_language::playbook::read(&stem(&path), &text, catalog), path, text },
        Err(fault) => {
            Source { path, text: String::new(), reading: Reading { playbook: None, diagnostics: vec![fault] } }
        }
    })
}

/// The name of a file's playbook or check.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file's text, or the fault of the file as a whole.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn text(path: &Path) -> anyhow::Result<Result<String, Diagnostic>> {
    let mut bytes = Vec::new();
    // Reads one byte more than the limit, to detect a file that is too large.
    let bound = limit::PLAYBOOK_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes));
    read.with_context(|| format!("failed to read {}", path.display()))?;
    if bytes.len() > limit::PLAYBOOK_BYTES {
        let size = std::fs::metadata(path).map_or(bound, |metadata| metadata.len());
        let message = format!("the file has {size} bytes, the limit is {} bytes", limit::PLAYBOOK_BYTES);
        return Ok(Err(diagnostic(path, code::TOO_LARGE, message)));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("the file is not UTF-8 text, the first invalid byte is at offset {at}");
        diagnostic(path, code::YAML_SYNTAX, message)
    }))
}

/// A fault of a file as a whole.
pub(crate) fn diagnostic(path: &Path, code: &'static str, message: String) -> Diagnostic {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Diagnostic { severity: Severity::Error, code, message, file, line: 1, column: 1, span: Span::default(), help: None }
}

/// Refuses two files of one playbook name, such as `a.yaml` and `a.yml`: it would be random which of them runs.
fn refuse_duplicates(sources: &mut [Source]) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for source in sources {
        let Some(playbook) = &source.reading.playbook else { continue };
        if let Some(other) = first.get(&playbook.name) {
            let message = format!("playbook {} is in {} already", playbook.name, other.display());
            source.reading.diagnostics.push(diagnostic(&source.path, code::DUPLICATE_NAME, message));
            source.reading.playbook = None;
        } else {
            first.insert(playbook.name.clone(), source.path.clone());
        }
    }
}
