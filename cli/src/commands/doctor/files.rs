//! Playbooks, guardrails and the state file.

use std::fs::OpenOptions;
use std::path::Path;

use heal_api::server::{Descriptors, Limits, OWN_DESCRIPTORS};
use heal_guard::Guardrails;

use super::findings::Check;
use crate::{actions, guardrails, notify, playbooks, state};

/// One check for the folder; or one for each playbook with errors, with its first error.
pub(super) fn playbooks(folder: &Path) -> Vec<Check> {
    let name = folder.display().to_string();
    let sources = match playbooks::read(&[folder.to_owned()], &actions::catalog()) {
        Ok(sources) => sources,
        Err(error) => return vec![Check::new("playbooks", name, Err(format!("{error:#}")))],
    };
    let wrong = sources.iter().filter_map(|source| {
        let first = source.errors().next()?;
        let detail = format!("line {}: {}; `heal playbook lint` shows all", first.line, first.message);
        Some(Check::new("playbook", source.path.display().to_string(), Err(detail)))
    });
    let wrong: Vec<_> = wrong.collect();
    if wrong.is_empty() {
        return vec![Check::new("playbooks", name, Ok(format!("{} playbooks, no error", sources.len())))];
    }
    wrong
}

/// The guardrails that hold: their digest and number of rules, or the first error of their file.
pub(super) fn guardrails(named: Option<&Path>, folder: &Path) -> Check {
    let name = named.map_or_else(|| folder.join(guardrails::FILE), Path::to_owned).display().to_string();
    Check::new("guardrails", name, examine_guardrails(named, folder).unwrap_or_else(|error| Err(format!("{error:#}"))))
}

fn examine_guardrails(named: Option<&Path>, folder: &Path) -> anyhow::Result<Result<String, String>> {
    let Some(file) = guardrails::file(named, folder)? else {
        return Ok(Ok(format!(
            "the file does not exist, so the defaults hold: {}",
            guardrails::summary(&Guardrails::default())
        )));
    };
    // A playbook that cannot be read has its own line here.
    let playbooks = playbooks::read(&[folder.to_owned()], &actions::catalog()).ok();
    let playbooks: Option<Vec<_>> =
        playbooks.and_then(|sources| sources.into_iter().map(|source| source.value).collect());
    let source = guardrails::read(&file, playbooks.as_deref())?;
    if let Some(first) = source.errors().next() {
        return Ok(Err(format!("line {}: {}; `heal guardrails lint` shows all", first.line, first.message)));
    }
    Ok(source.value.map(|read| guardrails::summary(&read)).ok_or_else(|| "cannot be used".to_owned()))
}

/// Who is told of what: the number of channels and routes, or the first error of the file. Without a file nobody is, which is not a fault.
pub(super) fn notify(named: Option<&Path>, folder: &Path) -> Check {
    let name = named.map_or_else(|| folder.join(notify::FILE), Path::to_owned).display().to_string();
    Check::new("notifications", name, examine_notify(named, folder).unwrap_or_else(|error| Err(format!("{error:#}"))))
}

fn examine_notify(named: Option<&Path>, folder: &Path) -> anyhow::Result<Result<String, String>> {
    let Some(file) = notify::file(named, folder)? else {
        return Ok(Ok("the file does not exist, so nobody is told of anything".to_owned()));
    };
    let source = notify::read(&file, None)?;
    if let Some(first) = source.errors().next() {
        return Ok(Err(format!("line {}: {}; `heal notify lint` shows all", first.line, first.message)));
    }
    Ok(source.value.map(|rules| notify::summary(&rules)).ok_or_else(|| "cannot be used".to_owned()))
}

/// Whether `heal serve` under this process's limit of open files has descriptors enough for its own work, whoever connects to it.
pub(super) fn descriptors() -> Option<Check> {
    let descriptors = Descriptors::of_process()?;
    let (own, connections) = (descriptors.for_own_work(), Limits::of_process().connections);
    let shares = format!("{own} for the engine's own work, at most {connections} for connections of the API");
    let result = if descriptors.are_enough() {
        Ok(shares)
    } else {
        Err(format!(
            "{shares}; expected at least {OWN_DESCRIPTORS} for its own work: raise the limit (`ulimit -n`, `LimitNOFILE=`)"
        ))
    };
    Some(Check::new("open files", descriptors.0.to_string(), result))
}

/// Whether the state file can be read and written, or created. It is not created here.
pub(super) fn state(path: &Path) -> Check {
    let name = path.display().to_string();
    let result = if path.symlink_metadata().is_ok() { existing(path) } else { missing(path) };
    Check::new("state file", name, result)
}

fn existing(path: &Path) -> Result<String, String> {
    let store = state::open(path).map_err(|error| format!("{error:#}"))?;
    let by = if store.is_owned_by_another() { "another heal works on it" } else { "no process works on it" };
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
