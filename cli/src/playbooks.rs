//! Playbooks as files: found, read, and told apart by what is wrong with them.

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

/// One file, read.
#[derive(Debug)]
pub(crate) struct Source {
    pub path: PathBuf,
    /// Empty where it is too large or no text.
    pub text: String,
    pub reading: Reading,
}

impl Source {
    pub(crate) fn faults(&self) -> Faults<'_> {
        Faults { path: &self.path, text: &self.text, diagnostics: &self.reading.diagnostics }
    }
}

/// Reads files, and the `*.yaml` and `*.yml` of folders, in the order of their names.
///
/// # Errors
/// A path that is not there or cannot be read, or a folder without playbooks. What is wrong inside a file is in its [`Reading`].
pub(crate) fn read(paths: &[PathBuf], catalog: &Catalog) -> anyhow::Result<Vec<Source>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(in_folder(path)?);
        } else {
            files.push(path.clone());
        }
    }
    let mut sources = files.into_iter().map(|path| source(path, catalog)).collect::<anyhow::Result<Vec<_>>>()?;
    refuse_twins(&mut sources);
    Ok(sources)
}

/// The playbooks of a folder, ready to run. Faults are told on standard error, all of them.
///
/// # Errors
/// The folder cannot be read, or a playbook in it has an error.
pub(crate) fn library(folder: &Path, catalog: &Catalog) -> anyhow::Result<Arc<Library>> {
    if !folder.is_dir() {
        bail!("{}: no such folder of playbooks, name one with --playbooks DIR", folder.display());
    }
    let sources = read(&[folder.to_owned()], catalog)?;
    let wrong = diagnostics::tell_errors(sources.iter().map(Source::faults));
    if !wrong.is_empty() {
        bail!("{} of {} playbooks cannot be used: {}", wrong.len(), sources.len(), wrong.join(", "));
    }
    Ok(Arc::new(Library::new(playbooks(sources))?))
}

/// The playbooks of those files that have one.
pub(crate) fn playbooks(sources: Vec<Source>) -> impl Iterator<Item = Playbook> {
    sources.into_iter().filter_map(|source| source.reading.playbook)
}

fn in_folder(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let files = yaml_files(folder)?;
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
    let name = || folder.display().to_string();
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(name)? {
        let path = entry.with_context(name)?.path();
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

/// What a file's playbook or check is called.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file's text, or the fault that it has as a whole.
///
/// # Errors
/// It cannot be read.
pub(crate) fn text(path: &Path) -> anyhow::Result<Result<String, Diagnostic>> {
    let mut bytes = Vec::new();
    // One byte more than is allowed tells a file that is too large from one that just fits.
    let bound = limit::PLAYBOOK_BYTES as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(bound).read_to_end(&mut bytes));
    read.with_context(|| path.display().to_string())?;
    if bytes.len() > limit::PLAYBOOK_BYTES {
        let size = std::fs::metadata(path).map_or(bound, |metadata| metadata.len());
        let message = format!("the file has {size} bytes, the limit is {} bytes", limit::PLAYBOOK_BYTES);
        return Ok(Err(diagnostic(path, code::TOO_LARGE, message)));
    }
    Ok(String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let message = format!("the file is not UTF-8 text, the first wrong byte is at offset {at}");
        diagnostic(path, code::YAML_SYNTAX, message)
    }))
}

/// A fault of a file as a whole.
pub(crate) fn diagnostic(path: &Path, code: &'static str, message: String) -> Diagnostic {
    let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Diagnostic { severity: Severity::Error, code, message, file, line: 1, column: 1, span: Span::default(), help: None }
}

/// Two files of one playbook name, such as `a.yaml` and `a.yml`: which one runs would be chance.
fn refuse_twins(sources: &mut [Source]) {
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
