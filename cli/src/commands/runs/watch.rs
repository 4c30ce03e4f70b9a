//! `heal runs watch`: follow a run to its end.

use heal_engine::event::RunStatus;

use crate::exit::Verdict;
use crate::follow;
use crate::place::{Place, PlaceArgs};

/// Follows a run until it ends; exits with 0 where its status is COMPLETED then
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: String,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// One event a line as JSON, the report as the last line
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let run_id = super::run_id(&args.run_id)?;
    let place = Place::open(&args.place).await?;
    let status = follow::to_the_end(&place, run_id, args.json).await?;
    Ok(Verdict::of(status == RunStatus::Completed))
}
