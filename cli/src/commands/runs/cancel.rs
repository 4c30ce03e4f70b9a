//! `heal runs cancel`: end a run early.

use heal_runtime::message::Inbound;

use super::change::{self, Change};
use crate::exit::Verdict;

/// Cancels a run: nothing new starts, what is in flight is waited for
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub change: Change,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    change::make(&args.change, "stops", |run_id, by| Inbound::Cancel { run_id, by }).await
}
