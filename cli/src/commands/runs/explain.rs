//! `heal runs explain`: why a run did what it did, told from its log, with every recorded decision made again.

use heal_api::explain::{Told, tell};
use heal_engine::id::StepIndex;
use heal_engine::{Plan, RunId};
use heal_runtime::dispatcher::DispatchError;

use crate::backend::RunArgs;
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal runs explain RUN                                 every decision of the run
  heal runs explain RUN restart_pod --stack prod        those of one step
  heal runs explain RUN --json | jq -r .replayed        one line a decision";

/// Tells why a run did what it did: what was to be done to each target, what each part said, the verdict, and what happened then
///
/// Each recorded decision is made again from its record alone. Exits with 1 if one of them comes out differently.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Only this step
    #[arg(value_name = "STEP")]
    step: Option<String>,
    /// One decision a line as JSON, with its whole record
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let (run_id, backend) = args.run.open().await?;
    let (plan, commits) = match backend.reader().read(&run_id).await {
        Err(DispatchError::UnknownRun { .. }) => return Err(super::show::missing(&backend, &run_id).await?),
        read => read?,
    };
    let step = args.step.as_deref().map(|name| find(plan.as_deref(), &run_id, name)).transpose()?;
    let told = tell(plan.as_deref(), &commits, step);
    let decisions: Vec<_> = told.iter().flat_map(|told| &told.decisions).collect();
    if args.json {
        decisions.iter().try_for_each(out::json)?;
    } else {
        told.iter().flat_map(Told::lines).try_for_each(out::line)?;
        super::show::queue_line(&backend, &run_id).await?.iter().try_for_each(out::line)?;
    }
    let different = decisions.iter().filter(|decision| !decision.is_same()).count();
    if decisions.is_empty() {
        out::note("no decision is recorded: nothing was to be changed, or an older build performed it");
    } else if different > 0 {
        let of = out::plural(decisions.len(), "recorded decision");
        out::note(format_args!("{different} of {of} differ from what is decided now"));
    }
    Ok(Exit::success_if(different == 0))
}

/// # Errors
/// The run has no such step; names those that it has.
fn find(plan: Option<&Plan>, run_id: &RunId, name: &str) -> anyhow::Result<StepIndex> {
    let Some(plan) = plan else { anyhow::bail!("run {run_id} has no steps: its message was rejected") };
    plan.find(name).ok_or_else(|| {
        let names: Vec<_> = plan.steps().map(|(index, _)| plan.name(index)).collect();
        anyhow::anyhow!("run {run_id} has no step `{}`; its steps are {}", out::text(name), names.join(", "))
    })
}
