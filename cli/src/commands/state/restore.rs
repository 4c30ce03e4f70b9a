//! `heal state restore`: a backup in the place of a state file.

use std::path::PathBuf;

use anyhow::Context as _;

use super::size;
use crate::args::StateFile;
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal state restore /backups/heal-2026-11-28.db --state heal.db";

/// Puts a backup in the place of the state file
///
/// No process may work on the file. The file that was there is kept beside it. The backup does not know what was done since it was made: a run that
/// it has as live goes on from there, and what it did since it may do again. docs/state-file.md says how to find these runs before `heal serve` starts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The backup, as `heal state backup` made it; it stays as it is
    #[arg(value_name = "COPY.db")]
    pub from: PathBuf,
    #[command(flatten)]
    pub state: StateFile,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (from, to) = (&args.from, &args.state.state);
    let restored = heal_embedded::restore(from, to)
        .with_context(|| format!("failed to restore {} from {}", to.display(), from.display()))?;
    out::note(format_args!("{} is restored from {}: {}", to.display(), from.display(), size(restored.bytes)));
    if let Some(replaced) = restored.replaced {
        out::note(format_args!("the file that was there is kept as {}", replaced.display()));
    }
    let state = to.display();
    out::note(format_args!(
        "what it has as live goes on at the next start: `heal runs list --state {state} --status running`"
    ));
    Ok(Exit::Success)
}
