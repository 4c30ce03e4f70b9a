//! `heal approvals list`: everything that waits for people, what ends first at the top.

use heal_api::worklist::{APPROVAL_RUNS, Approval, Worklist, approval_name, who_may_approve};
use heal_engine::state::OpenApproval;

use super::open::left;
use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

/// Lists what waits for the approval of a person
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// One JSON object an approval
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    let listing = Worklist { runs: &*backend.runs(), reader: &backend.reader() }.approvals().await?;
    if args.json {
        listing.entries.iter().try_for_each(out::json)?;
    } else if listing.entries.is_empty() {
        out::note("nothing waits for an approval");
    } else {
        let head = ["RUN", "STEP", "SINCE", "UNTIL", "APPROVED", "WHO MAY APPROVE", "WHY"];
        out::table(head, listing.entries.iter().map(row).collect())?;
    }
    if listing.has_more {
        out::note(format_args!("only the newest {APPROVAL_RUNS} runs that await an approval were read"));
    }
    Ok(Exit::Success)
}

/// The time of a held run stands still.
fn until(approval: &OpenApproval) -> String {
    match approval.held_since {
        None => moment::rfc3339(approval.until),
        Some(since) => format!("held, {} left", left(approval, since)),
    }
}

fn row(entry: &Approval) -> [String; 7] {
    let approval = &entry.approval;
    [
        out::text(entry.run_id.as_str()),
        out::text(&approval_name(approval)),
        moment::rfc3339(approval.since),
        until(approval),
        format!("{} of {}", approval.approved_by.len(), approval.min),
        out::text(&who_may_approve(approval)),
        out::text(&approval.why),
    ]
}
