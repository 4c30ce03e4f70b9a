//! `heal runs show`: one run from its first event to its last.

use crate::args::StateFile;
use crate::exit::Verdict;

/// Shows every event of a run, with the reason of each decision.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: String,
    #[command(flatten)]
    pub state: StateFile,
    /// One event a line as JSON, the report as the last line
    #[arg(long)]
    pub json: bool,
}

#[expect(clippy::unused_async, reason = "the shape of every command")]
pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("run {}: cannot be shown in this build", args.run_id)
}
