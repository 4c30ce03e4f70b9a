//! `heal escalations ack`: a person has found the cause, so the engine may act on the target again.

use heal_engine::event::RunOutcome;
use heal_engine::report::{self, FollowUp};
use heal_engine::state::follow_up::{ESCALATION, full_id};
use heal_runtime::message::Inbound;

use crate::backend::RunArgs;
use crate::commands::runs::change;
use crate::exit::Exit;
use crate::{identity, moment, out};

/// Acknowledges an escalated run: the next incident about its target runs again
///
/// The run records who did it. Exits with 0 if it is acknowledged now or was before.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// What else the run records, such as the cause
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// On a stack: how long to wait until the run's log has it
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let (run_id, backend) = args.run.open().await?;
    let Some(head) = backend.runs().head(&run_id).await? else {
        anyhow::bail!("run {run_id} does not exist in {backend}; `heal escalations list` shows the escalated runs");
    };
    if head.outcome != Some(RunOutcome::Escalated) {
        let observed = head.outcome.map_or(head.status.as_str(), RunOutcome::as_str);
        anyhow::bail!(
            "failed to acknowledge run {run_id}: it is {observed}, expected ESCALATED; `heal escalations list` shows the escalated runs"
        );
    }
    let (plan, commits) = backend.reader().read(&run_id).await?;
    let report = report::report(plan.as_deref(), &run_id, &commits)?;
    let id = full_id(&run_id, ESCALATION);
    if let Some(FollowUp { done_at: Some(at), done_by: Some(by), .. }) =
        report.follow_ups.iter().find(|follow_up| follow_up.id == id)
    {
        out::note(format_args!("{run_id} was acknowledged by {} at {}", out::text(by), moment::rfc3339(*at)));
        return Ok(Exit::Success);
    }
    let input = Inbound::FollowUpDone {
        run_id: run_id.clone(),
        id: ESCALATION.to_owned(),
        by: identity::local(),
        note: args.note,
    };
    change::make(&backend, &run_id, "is acknowledged, the next incident about its target runs", input, args.within)
        .await
}
