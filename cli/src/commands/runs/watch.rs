//! `heal runs watch`: follow a run to its end.

use crate::backend::RunArgs;
use crate::exit::Exit;
use crate::follow;

/// Follows a run until it ends; exits with 0 if it is done, 3 if it is DEGRADED (something is left for a person), 1 otherwise
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// One event a line as JSON, the report as the last line
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let (run_id, backend) = args.run.open().await?;
    follow::follow_to_end(&backend, run_id, args.json).await
}
