//! `heal check compile`: the file that the function of the scheduled checks is deployed with.

use std::path::PathBuf;

use heal_wiring::environment::ENV_CHECKS;

use super::folders::Folders;
use crate::args::{CheckDir, PlaybookDir};
use crate::exit::Exit;
use crate::playbooks::diagnostics;
use crate::source::Source;
use crate::{checks, out};

const EXAMPLES: &str = "\
Examples:
  heal check compile --out checks.json                      the files of playbooks/checks/
  heal check compile my/checks --playbooks my/playbooks > checks.json";

/// Writes the checks as one JSON text, every default filled in
///
/// Writes nothing and exits with 1 if a check has an error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folder of the checks; by default `checks` in the folder of the playbooks
    #[arg(value_name = "DIR", env = ENV_CHECKS)]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// File to write; by default standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let folders = Folders { checks: CheckDir { checks: args.dir.clone() }, playbooks: args.playbooks.clone() };
    let sources = checks::read(&folders.check_folder()?, Some(&folders.playbooks()?))?;
    let wrong = diagnostics::print_errors(sources.iter().map(Source::faults));
    if !wrong.is_empty() {
        out::note(format_args!("{} cannot be compiled", out::plural(wrong.len(), "check")));
        return Ok(Exit::Failure);
    }
    let compiled: Vec<_> = sources.into_iter().filter_map(|source| source.value).collect();
    out::compiled(args.out.as_deref(), &heal_engine::check::to_json(&compiled))?;
    out::note(out::plural(compiled.len(), "check"));
    Ok(Exit::Success)
}
