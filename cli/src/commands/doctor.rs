//! `heal doctor`: is everything configured, and within reach?

use crate::args::{PlaybookDir, StateFile};
use crate::exit::Verdict;

const EXAMPLES: &str = "\
Examples:
  heal doctor
  heal doctor --offline            only what can be said without a call
  heal doctor --json | jq '.configuration[] | select(.source == \"environment\")'";

/// Shows every configuration variable with its value, source and purpose, and tries every service.
///
/// Also checks the playbooks and whether the state file can be written. Secrets are hidden. Exits with 1 where something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    #[command(flatten)]
    pub state: StateFile,
    /// Do not try the services
    #[arg(long)]
    pub offline: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

#[expect(clippy::unused_async, reason = "the shape of every command")]
pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("{}: cannot be examined in this build", args.state.state.display())
}
