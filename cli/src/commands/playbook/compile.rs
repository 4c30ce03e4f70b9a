//! `heal playbook compile`: what functions are deployed with.

use std::path::PathBuf;

use heal_runtime::library::Library;

use crate::exit::Verdict;
use crate::playbooks::{self, Source, diagnostics};
use crate::{actions, out};

const EXAMPLES: &str = "\
Examples:
  heal playbook compile --out playbooks.json               the files of playbooks/
  heal playbook compile my/playbooks one-more.yaml > all.json";

/// Writes the playbooks as one JSON text, each as a run pins it
///
/// Who has it needs neither YAML nor the actions' descriptions. Nothing is written, and it exits with 1, where a playbook has an error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, or folders of `*.yaml` and `*.yml`
    #[arg(value_name = "PATH", default_value = "playbooks", env = "HEAL_PLAYBOOKS")]
    pub paths: Vec<PathBuf>,
    /// File to write; without it, standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Verdict> {
    let sources = playbooks::read(&args.paths, &actions::catalog())?;
    let wrong = diagnostics::tell_errors(sources.iter().map(Source::faults));
    if !wrong.is_empty() {
        out::note(format_args!("{} cannot be compiled", out::plural(wrong.len(), "playbook")));
        return Ok(Verdict::Failed);
    }
    let library = Library::new(playbooks::playbooks(sources))?;
    out::compiled(args.out.as_deref(), &library.to_json())?;
    out::note(out::plural(library.names().count(), "playbook"));
    Ok(Verdict::Done)
}
