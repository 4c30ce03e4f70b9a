//! Playbooks and the state file.

use std::fs::OpenOptions;
use std::path::Path;

use super::findings::Check;
use crate::{actions, playbooks, state};

/// One check for the folder; or one for each playbook with errors, with its first error.
pub(super) fn playbooks(folder: &Path) -> Vec<Check> {
    let name = folder.display().to_string();
    let sources = match playbooks::read(&[folder.to_owned()], &actions::catalog()) {
        Ok(sources) => sources,
        Err(error) => return vec![Check::new("playbooks", name, Err(format!("{error:#}")))],
    };
    let wrong = sources.iter().filter_map(|source| {
        let first = source.reading.errors().next()?;
        let detail = format!("line {}: {}; `heal playbook lint` shows all", first.line, first.message);
        Some(Check::new("playbook", source.path.display().to_string(), Err(detail)))
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        return vec![Check::new("playbooks", name, Ok(format!("{} playbooks, no error", sources.len())))];
    }
    wrong
}

/// Whether the state file can be read and written, or created. It is not created here.
pub(super) fn state(path: &Path) -> Check {
    let name = path.display().to_string();
    let result = if path.exists() { existing(path) } else { missing(path) };
    Check::new("state file", name, result)
}

fn existing(path: &Path) -> Result<String, String> {
    OpenOptions::new().append(true).open(path).map_err(|error| format!("cannot be written: {error}"))?;
    state::open(path).map_err(|error| format!("{error:#}"))?;
    let by = if state::is_locked(path) { "another heal works on it" } else { "no process works on it" };
    Ok(format!("can be written, {by}"))
}

/// The nearest folder that exists must accept a new file.
fn missing(path: &Path) -> Result<String, String> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(folder) =
        parent.ancestors().map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it }).find(|it| it.is_dir())
    else {
        return Err(format!("{}: there is no such folder", parent.display()));
    };
    let probe = folder.join(format!(".heal-doctor-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).open(&probe);
    made.map_err(|error| format!("folder {} takes no new file: {error}", folder.display()))?;
    std::fs::remove_file(&probe).map_err(|error| format!("{}: {error}", probe.display()))?;
    Ok("does not exist yet, and can be made".to_owned())
}
