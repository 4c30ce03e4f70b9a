//! One file of the playbook language, read and validated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use heal_engine::limit;
use heal_language::{Diagnostic, Severity, Span, code};

use crate::playbooks::diagnostics::Faults;

/// One file, read.
#[derive(Debug)]
pub(crate) struct Source<T> {
    pub path: PathBuf,
    /// Empty if the file is too large or not text.
    pub text: String,
    /// `Some` exactly if no diagnostic is an error.
    pub value: Option<T>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<T> Source<T> {
    /// Reads the file with `parse`, which gets the file's name without its extension, and its text.
    ///
    /// # Errors
    /// The file cannot be read. Faults inside it are in its diagnostics.
    pub(crate) fn read(
        path: PathBuf,
        parse: impl FnOnce(&str, &str) -> (Option<T>, Vec<Diagnostic>),
    ) -> anyhow::Result<Self> {
        let (text, (value, diagnostics)) = match text(&path)? {
            Ok(text) => {
                let read = parse(&stem(&path), &text);
                (text, read)
            }
            Err(fault) => (String::new(), (None, vec![fault])),
        };
        Ok(Self { path, text, value, diagnostics })
    }

    pub(crate) fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    pub(crate) fn faults(&self) -> Faults<'_> {
        Faults { path: &self.path, text: &self.text, diagnostics: &self.diagnostics }
    }
}

/// Refuses two files of one name, such as `a.yaml` and `a.yml`: it would be random which playbook runs, and two checks would share one
/// state. `noun` is what the files are.
pub(crate) fn refuse_duplicates<T>(sources: &mut [Source<T>], noun: &str, name: impl Fn(&T) -> &str) {
    let mut first: BTreeMap<String, PathBuf> = BTreeMap::new();
    for source in sources {
        let Some(name) = source.value.as_ref().map(|value| name(value).to_owned()) else { continue };
        if let Some(other) = first.get(&name) {
            let message = format!("{noun} {name} is in {} already", other.display());
            source.diagnostics.push(diagnostic(&source.path, code::DUPLICATE_NAME, message));
            source.value = None;
        } else {
            first.insert(name, source.path.clone());
        }
    }
}

/// The file's name without its extension: that of its playbook or check.
pub(crate) fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// A file's text, or the fault of the file as a whole.
///
/// # Errors
/// The file cannot be read.
fn text(path: &Path) -> anyhow::Result<Result<String, Diagnostic>> {
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
