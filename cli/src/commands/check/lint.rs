//! `heal check lint`: every fault of every check at once.

use super::Folders;
use crate::commands::playbook::lint::{Tally, tell};
use crate::exit::Verdict;
use crate::{checks, out};

const EXAMPLES: &str = "\
Examples:
  heal check lint                                  the files of playbooks/checks/
  heal check lint --checks my/checks --playbooks my/playbooks
  heal check lint --json | jq -r .message";

/// Finds unknown keys, wrong values and templates, and incidents that no playbook is for
///
/// `heal playbook lint` does this too, for the folder `checks` of a folder of playbooks. Exits with 1 where a check has an error.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub folders: Folders,
    /// One JSON object a fault
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Verdict> {
    let sources = checks::read(&args.folders.of_checks()?, Some(&args.folders.playbooks()?))?;
    let files: Vec<_> = sources.iter().map(checks::Source::faults).collect();
    tell(&files, args.json)?;
    let tally = Tally::of(&files);
    out::note(format_args!("{}: {}", out::plural(sources.len(), "check"), tally.told()));
    Ok(Verdict::of(tally.errors == 0))
}
