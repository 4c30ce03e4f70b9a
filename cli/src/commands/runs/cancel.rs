//! `heal runs cancel`: end a run early.

use crate::args::StateFile;
use crate::exit::Verdict;

/// Cancels a run: nothing new starts, what is in flight is waited for.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: String,
    #[command(flatten)]
    pub state: StateFile,
    /// Who does so, for the record
    #[arg(long, env = "USER", default_value = "operator", value_name = "NAME")]
    pub by: String,
}

#[expect(clippy::unused_async, reason = "the shape of every command")]
pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("run {}: cannot be changed in this build", args.run_id)
}
