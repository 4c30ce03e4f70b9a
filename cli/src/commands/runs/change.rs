//! `heal runs cancel` and `heal runs approve`: a change to a run from outside the process that works on it.
//!
//! On a state file the change is a turn of the run in this process: optimistic concurrency lets two processes write to one run, and the
//! turn's outcome is known at once. The process that works on the state file continues from there. To a stack the change is sent
//! ([`sent`]): only the dispatcher writes there.

mod sent;

use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy};

use crate::backend::{Backend, RunArgs};
use crate::exit::Exit;
use crate::{identity, out};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    by: By,
    /// On a stack: how long to wait until the run's log has the change
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

/// An option of older builds.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::commands) struct By {
    /// Ignored: a run records who somebody is, not what somebody says
    #[arg(long, hide = true, value_name = "NAME")]
    by: Option<String>,
}

impl By {
    /// Who makes the change, as an identity.
    pub(in crate::commands) fn identity(&self) -> String {
        let identity = identity::local();
        if self.by.is_some() {
            out::note(format_args!("--by is ignored: the change is recorded as that of {}", out::text(&identity)));
        }
        identity
    }
}

pub(super) async fn cancel(args: Args) -> anyhow::Result<Exit> {
    change(&args, "stops", |run_id, by| Inbound::Cancel { run_id, by }).await
}

pub(super) async fn approve(args: Args) -> anyhow::Result<Exit> {
    change(&args, "starts", |run_id, by| Inbound::Approve { run_id, by }).await
}

/// Exits with 1 if the run is past this change, or if a stack has not made it in time.
async fn change(args: &Args, effect: &str, input: impl Fn(RunId, String) -> Inbound) -> anyhow::Result<Exit> {
    let (run_id, backend) = args.run.open().await?;
    let Some(head) = backend.runs().head(&run_id).await? else {
        anyhow::bail!("run {run_id} does not exist in {backend}; `heal runs list` shows the runs");
    };
    if head.status.is_terminal() {
        out::note(format_args!("{run_id} has ended already: {}", head.status.as_str()));
        return Ok(Exit::Failure);
    }
    let input = input(run_id.clone(), args.by.identity());
    make(&backend, &run_id, effect, input, args.within).await
}

/// Makes a change to an existing run, and says so with `effect`. Exits with 1 if the run is past it, or a stack has not made it in time.
///
/// # Errors
/// The run cannot be read or written, or the change cannot be sent.
pub(in crate::commands) async fn make(
    backend: &Backend,
    run_id: &RunId,
    effect: &str,
    input: Inbound,
    within: u64,
) -> anyhow::Result<Exit> {
    match backend {
        Backend::File { .. } => receive(backend, run_id, effect, input).await,
        Backend::Stack(stack) => sent::send(stack, backend, run_id, effect, input, within).await,
    }
}

async fn receive(backend: &Backend, run_id: &RunId, effect: &str, input: Inbound) -> anyhow::Result<Exit> {
    let cause_id = format!("command-line:{:016x}", OsEntropy.next()?);
    let turn = backend.reader().receive(run_id, &cause_id, vec![input]).await?;
    if let Some(why) = turn.refused {
        out::note(format_args!("refused: {}", out::text(&why)));
        return Ok(Exit::Failure);
    }
    if turn.events == 0 {
        let open = if turn.status == RunStatus::AwaitingApproval {
            "; `heal approvals show` has what it asks for"
        } else {
            ""
        };
        out::note(format_args!("{run_id} is {}: nothing to change{open}", turn.status.as_str()));
        return Ok(Exit::Failure);
    }
    out::line(format_args!("{run_id} {effect}: {}", turn.status.as_str()))?;
    if !turn.status.is_terminal() && backend.is_idle() {
        out::note("no `heal serve` works on this state file; the run continues once one does");
    }
    Ok(Exit::Success)
}
