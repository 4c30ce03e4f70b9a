//! `heal playbook lint`: every fault of every file.

use std::path::PathBuf;

use heal_runtime::library::Library;
use heal_wiring::environment::ENV_PLAYBOOKS;

use crate::exit::Exit;
use crate::out::plural;
use crate::playbooks;
use crate::playbooks::diagnostics::{self, Tally};
use crate::source::Source;
use crate::{actions, checks, guardrails, hooks, out};

const EXAMPLES: &str = "\
Examples:
  heal playbook lint                               the files of playbooks/
  heal playbook lint my/playbooks one-more.yaml    folders and files
  heal playbook lint --json | jq -r .message";

/// Finds unknown keys, actions, parameters and variables, cycles, wrong conditions, and more
///
/// The scheduled checks in the folder `checks` of a folder are read too; their incidents must start one of the playbooks. So is its
/// `guardrails.yaml` and its `hooks.yaml`.
/// Each fault comes with file, line, column, the line itself and a remedy. Exits with 1 if there is an error;
/// warnings alone exit with 0.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, or folders of `*.yaml` and `*.yml`
    #[arg(value_name = "PATH", default_value = "playbooks", env = ENV_PLAYBOOKS)]
    pub paths: Vec<PathBuf>,
    /// One JSON object a fault
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut sources = playbooks::read(&args.paths, &actions::catalog())?;
    // If a playbook cannot be read, a check's incident may start it; then the checks are not held to the playbooks.
    let all: Option<Vec<_>> = sources.iter().map(|source| source.value.clone()).collect();
    let mut checks = Vec::new();
    for folder in args.paths.iter().map(|path| path.join(checks::FOLDER)).filter(|folder| folder.is_dir()) {
        checks.extend(checks::read(&folder, all.as_deref())?);
    }
    let mut guards = Vec::new();
    for path in &args.paths {
        let named = Some(path.as_path()).filter(|path| guardrails::is_guardrails(path));
        if let Some(file) = guardrails::file(named, path)? {
            guards.push(guardrails::read(&file, all.as_deref())?);
        }
    }
    let mut alerts = Vec::new();
    for path in &args.paths {
        let named = Some(path.as_path()).filter(|path| hooks::is_hooks(path));
        if let Some(file) = hooks::file(named, path)? {
            alerts.push(hooks::read(&file, all.as_deref())?);
        }
    }
    let read = guards.iter().filter_map(|source| source.value.as_ref());
    let groups = read.flat_map(|guardrails| guardrails.approvals.groups.clone()).collect();
    // Faulty guardrails have their own faults, and may have the group. A single file says nothing of the guardrails beside it.
    let is_home = !guards.is_empty() || args.paths.iter().any(|path| path.is_dir());
    if is_home && guards.iter().all(|source| source.value.is_some()) {
        playbooks::check_groups(&mut sources, &groups);
    }
    let files = sources.iter().map(Source::faults).chain(checks.iter().map(Source::faults));
    let files = files.chain(guards.iter().map(Source::faults));
    let files: Vec<_> = files.chain(alerts.iter().map(Source::faults)).collect();
    diagnostics::print(&files, args.json)?;
    let mut counts = plural(sources.len(), "playbook");
    if !checks.is_empty() {
        counts = format!("{counts}, {}", plural(checks.len(), "check"));
    }
    if !guards.is_empty() {
        counts = format!("{counts}, guardrails");
    }
    if !alerts.is_empty() {
        counts = format!("{counts}, hooks");
    }
    let tally = Tally::count(&files);
    out::note(format_args!("{counts}: {}", tally.summary()));
    // A playbook without errors must compile too; this finds a fault that the reading missed.
    let compiles = Library::new(playbooks::playbooks(sources)).map_err(|error| out::error(&error.into())).is_ok();
    Ok(Exit::success_if(tally.errors == 0 && compiles))
}
