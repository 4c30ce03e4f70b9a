//! `heal approvals approve` and `reject`: an answer for exactly what was read a moment before.

use heal_api::worklist::approval_name as name;
use heal_engine::state::OpenApproval;
use heal_runtime::message::Inbound;

use super::open::{Asked, Target};
use crate::commands::runs::change;
use crate::exit::Exit;
use crate::{identity, out};

#[derive(Debug, clap::Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    target: Target,
    /// On a stack: how long to wait until the run's log has the answer
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reject {
    #[command(flatten)]
    target: Target,
    /// Why, for whoever reads the run
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// On a stack: how long to wait until the run's log has the answer
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

pub(super) async fn approve(args: Approve) -> anyhow::Result<Exit> {
    answer(&args.target, None, args.within).await
}

pub(super) async fn reject(args: Reject) -> anyhow::Result<Exit> {
    answer(&args.target, Some(args.reason), args.within).await
}

/// Answers all that the command line means. Exits with 1 if one of the answers does not count.
async fn answer(target: &Target, rejection: Option<String>, within: u64) -> anyhow::Result<Exit> {
    let Asked { run_id, backend, approvals, .. } = target.open().await?;
    let verb = if rejection.is_some() { "rejected" } else { "approved" };
    let mut exit = Exit::Success;
    for approval in approvals {
        out::note(format_args!("{}: {}", out::text(&name(&approval)), out::text(&approval.why)));
        let effect = format!("has {} {verb}", name(&approval));
        let OpenApproval { step, item, digest, .. } = approval;
        let (by, rejection) = (identity::local(), rejection.clone());
        let input = Inbound::ApprovalAnswer { run_id: run_id.clone(), step, item, digest, by, rejection };
        exit = exit.worse(change::make(&backend, &run_id, &effect, input, within).await?);
    }
    Ok(exit)
}
