//! `heal notify lint`: every fault of the file.

use super::Files;
use crate::exit::Exit;
use crate::out;
use crate::playbooks::diagnostics::{self, Tally};

const EXAMPLES: &str = "\
Examples:
  heal notify lint                             playbooks/notify.yaml
  heal notify lint my/notify.yaml --playbooks my/playbooks
  heal notify lint --json | jq -r .message";

/// Finds unknown names, wrong values, secrets in the text, and channels that nobody is told by
///
/// Exits with 1 if there is an error; warnings alone exit with 0.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub files: Files,
    /// One JSON object a fault
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let source = args.files.read()?;
    let files = [source.faults()];
    diagnostics::print(&files, args.json)?;
    let tally = Tally::count(&files);
    out::note(format_args!("{}: {}", out::text(&source.path.display().to_string()), tally.summary()));
    Ok(Exit::success_if(tally.errors == 0))
}
