//! `heal check lint`: every fault of every check.

use super::folders::Folders;
use crate::exit::Exit;
use crate::playbooks::diagnostics::{self, Tally};
use crate::source::Source;
use crate::{checks, out};

const EXAMPLES: &str = "\
Examples:
  heal check lint                                  the files of playbooks/checks/
  heal check lint --checks my/checks --playbooks my/playbooks
  heal check lint --json | jq -r .message";

/// Finds unknown keys, wrong values and templates, and incidents that start no playbook
///
/// `heal playbook lint` does this too, for the folder `checks` of a folder of playbooks. Exits with 1 if a check has an error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub folders: Folders,
    /// One JSON object a fault
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let sources = checks::read(&args.folders.check_folder()?, Some(&args.folders.playbooks()?))?;
    let files: Vec<_> = sources.iter().map(Source::faults).collect();
    diagnostics::print(&files, args.json)?;
    let tally = Tally::count(&files);
    out::note(format_args!("{}: {}", out::plural(sources.len(), "check"), tally.summary()));
    Ok(Exit::success_if(tally.errors == 0))
}
