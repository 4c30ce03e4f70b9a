//! `heal runs approve`: agree to a run.

use heal_runtime::message::Inbound;

use super::change::{self, Change};
use crate::exit::Verdict;

/// Agrees to a run that awaits approval
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub change: Change,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    change::make(&args.change, "starts", |run_id, by| Inbound::Approve { run_id, by }).await
}
