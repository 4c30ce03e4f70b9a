//! `heal state backup`: a copy of a state file.

use std::path::PathBuf;

use anyhow::Context as _;

use super::size;
use crate::args::StateFile;
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal state backup /backups/heal-2026-11-28.db --state heal.db";

/// Copies the state file, also while `heal serve` works on it
///
/// The copy is of one moment, is checked, and can be read by its owner alone. A file that exists is not replaced. A copy that runs have continued
/// without does not know what they did since: `heal state restore --help`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The new file
    #[arg(value_name = "COPY.db")]
    pub to: PathBuf,
    #[command(flatten)]
    pub state: StateFile,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (from, to) = (&args.state.state, &args.to);
    let bytes = heal_embedded::back_up(from, to)
        .with_context(|| format!("failed to back up {} to {}", from.display(), to.display()))?;
    out::note(format_args!("{} is a copy of {}, checked: {}", to.display(), from.display(), size(bytes)));
    Ok(Exit::Success)
}
