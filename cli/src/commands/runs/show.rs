//! `heal runs show`: every event of one run.

use heal_engine::{RunId, report};
use heal_runtime::dispatcher::DispatchError;

use crate::backend::{Backend, RunArgs};
use crate::exit::Exit;
use crate::timeline::{events, summary};
use crate::{moment, out, queue};

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
    let (plan, commits) = match backend.reader().read(&run_id).await {
        Err(DispatchError::UnknownRun { .. }) => return Err(missing(&backend, &run_id).await?),
        read => read?,
    };
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
        queue_line(&backend, &run_id).await?.iter().try_for_each(out::line)?;
    }
    Ok(Exit::Success)
}

/// Where the run stands, if it waits for room.
pub(super) async fn queue_line(backend: &Backend, run_id: &RunId) -> anyhow::Result<Option<String>> {
    let runs = backend.runs();
    let head = runs.head(run_id).await?;
    let places = queue::places(&*runs, head.as_slice()).await?;
    let line = |place: &queue::Place| {
        format!("  number {place} among the waiting runs of its playbook: the most severe first, then the oldest")
    };
    Ok(places.get(run_id).map(line))
}

/// Why the run's log is empty. A run whose retention is over is removed row by row, the end last.
pub(super) async fn missing(backend: &Backend, run_id: &RunId) -> anyhow::Result<anyhow::Error> {
    Ok(match backend.runs().head(run_id).await? {
        Some(head) => anyhow::anyhow!(
            "run {run_id} in {backend} has expired: it ended {} at {}, and its log is being removed",
            head.status.as_str(),
            moment::rfc3339(head.updated_at),
        ),
        None => anyhow::anyhow!(
            "run {run_id} is not in {backend}: it never existed, or it was removed after its retention; `heal runs list` shows the runs that are kept"
        ),
    })
}
