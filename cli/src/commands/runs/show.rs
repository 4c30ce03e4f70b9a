//! `heal runs show`: one run from its first event to its last.

use heal_engine::report;

use crate::exit::Verdict;
use crate::out;
use crate::place::{Place, PlaceArgs};
use crate::timeline::{events, summary};

/// Shows every event of a run, with the reason of each decision
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
    let (plan, commits) = place.reader().read(&run_id).await?;
    let report = report::report(plan.as_deref(), &run_id, &commits)?;
    for commit in &commits {
        if args.json {
            report::lines(plan.as_deref(), commit).iter().try_for_each(out::json)?;
        } else {
            events::lines(plan.as_deref(), commit, report.started_at).iter().try_for_each(out::line)?;
        }
    }
    if args.json {
        out::json(&report)?;
    } else {
        out::line("")?;
        summary::lines(&report).iter().try_for_each(out::line)?;
    }
    Ok(Verdict::Done)
}
