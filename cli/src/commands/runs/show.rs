//! `heal runs show`: every event of one run.

use heal_engine::report;

use crate::backend::RunArgs;
use crate::exit::Exit;
use crate::out;
use crate::timeline::{events, summary};

/// Shows every event of a run, with the reason of each decision
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
    let (plan, commits) = backend.reader().read(&run_id).await?;
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
    Ok(Exit::Success)
}
