//! `heal runs hold` and `heal runs release`: the kill switch of one run.

use anyhow::bail;
use heal_engine::limit;
use heal_runtime::message::Inbound;
use heal_runtime::port::RunHead;

use super::change;
use crate::backend::{Backend, RunArgs};
use crate::exit::Exit;
use crate::{identity, out};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    run: RunArgs,
    /// Why; the run's log keeps it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// On a stack: how long to wait until the run's log has the change
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

pub(super) async fn hold(args: Args) -> anyhow::Result<Exit> {
    let (backend, head) = open(&args).await?;
    let run_id = head.run_id.clone();
    if head.status.is_terminal() {
        out::note(format_args!("{run_id} has ended already: {}", head.status.as_str()));
        return Ok(Exit::Failure);
    }
    let input = Inbound::Hold { run_id: run_id.clone(), by: identity::local(), reason: args.reason };
    change::make(&backend, &run_id, "is held", input, args.within).await
}

pub(super) async fn release(args: Args) -> anyhow::Result<Exit> {
    let (backend, head) = open(&args).await?;
    let run_id = head.run_id.clone();
    if let Some(halt) = head.held_by_halt() {
        let option = backend.option();
        out::note(format_args!("{run_id} is held by {halt}; it goes on with `heal resume {halt} {option}`"));
        return Ok(Exit::Failure);
    }
    if head.held_by.is_none() {
        out::note(format_args!("{run_id} is not held"));
        return Ok(Exit::Failure);
    }
    let input = Inbound::Release { run_id: run_id.clone(), by: identity::local(), reason: args.reason };
    change::make(&backend, &run_id, "goes on", input, args.within).await
}

async fn open(args: &Args) -> anyhow::Result<(Backend, RunHead)> {
    let bytes = args.reason.len();
    if args.reason.trim().is_empty() {
        bail!("--reason is empty, expected a text");
    }
    if bytes > limit::TEXT_BYTES {
        bail!("--reason has {bytes} bytes, the limit is {} bytes", limit::TEXT_BYTES);
    }
    let (run_id, backend) = args.run.open().await?;
    match backend.runs().head(&run_id).await? {
        Some(head) => Ok((backend, head)),
        None => bail!("run {run_id} does not exist in {backend}; `heal runs list` shows the runs"),
    }
}
