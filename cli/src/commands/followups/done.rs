//! `heal followups done`: reports one follow-up as done. Its run's log keeps who did it.

use anyhow::Context as _;
use heal_engine::report::{self, FollowUp};
use heal_engine::state::follow_up::parse_id;
use heal_runtime::message::Inbound;

use crate::backend::{Backend, BackendArgs};
use crate::commands::runs::change;
use crate::exit::Exit;
use crate::{moment, out};

/// Reports a follow-up as done; also of a run that has ended
///
/// Exits with 0 if it is done now or was done before.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the follow-up, as `heal followups list` shows it
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    by: change::By,
    /// What else the run records
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// On a stack: how long to wait until the run's log has it
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let unknown = || format!("`{}` is not the id of a follow-up; `heal followups list` shows them", args.id);
    let (run_id, id) = parse_id(&args.id).with_context(unknown)?;
    let backend = Backend::open(&args.backend).await?;
    let (plan, commits) = backend.reader().read(&run_id).await.with_context(unknown)?;
    let report = report::report(plan.as_deref(), &run_id, &commits)?;
    let follow_up = report.follow_ups.into_iter().find(|follow_up| follow_up.id == args.id).with_context(unknown)?;
    if let FollowUp { done_at: Some(at), done_by: Some(by), .. } = &follow_up {
        out::note(format_args!("{} was done by {} at {}", args.id, out::text(by), moment::rfc3339(*at)));
        return Ok(Exit::Success);
    }
    let (by, note) = (args.by.identity(), args.note.clone());
    let input = Inbound::FollowUpDone { run_id: run_id.clone(), id: id.to_owned(), by, note };
    change::make(&backend, &run_id, "has one thing less to do", input, args.within).await
}
