//! `heal playbook compile`: the file that the dispatcher function is deployed with.

use std::path::PathBuf;

use heal_runtime::library::Library;
use heal_wiring::environment::ENV_PLAYBOOKS;

use crate::exit::Exit;
use crate::playbooks::{self, diagnostics};
use crate::source::Source;
use crate::{actions, out};

const EXAMPLES: &str = "\
Examples:
  heal playbook compile --out playbooks.json               the files of playbooks/
  heal playbook compile my/playbooks one-more.yaml > all.json";

/// Writes the playbooks as one JSON text, each as a run pins it
///
/// The dispatcher then needs neither YAML nor the descriptions of the actions. Writes nothing and exits with 1 if a playbook has an error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, or folders of `*.yaml` and `*.yml`
    #[arg(value_name = "PATH", default_value = "playbooks", env = ENV_PLAYBOOKS)]
    pub paths: Vec<PathBuf>,
    /// File to write; by default standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let sources = playbooks::read(&args.paths, &actions::catalog())?;
    let wrong = diagnostics::print_errors(sources.iter().map(Source::faults));
    if !wrong.is_empty() {
        out::note(format_args!("{} cannot be compiled", out::plural(wrong.len(), "playbook")));
        return Ok(Exit::Failure);
    }
    let library = Library::new(playbooks::playbooks(sources))?;
    out::compiled(args.out.as_deref(), &library.to_json())?;
    out::note(out::plural(library.names().count(), "playbook"));
    Ok(Exit::Success)
}
