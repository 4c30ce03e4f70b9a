//! `heal approvals list`: everything that waits for people, what ends first at the top.

use heal_engine::event::RunStatus;
use heal_engine::state::OpenApproval;
use heal_engine::turn;
use heal_runtime::port::RunFilter;

use super::open::{Entry, left, name, who};
use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

/// Runs that are read at most, the newest first.
const RUNS: usize = 500;
/// Runs of one page.
const PAGE: usize = 100;

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
    let (mut entries, has_more) = read(&backend).await?;
    entries.sort_by_key(|entry| entry.approval.until);
    if args.json {
        entries.iter().try_for_each(out::json)?;
    } else if entries.is_empty() {
        out::note("nothing waits for an approval");
    } else {
        let head = ["RUN", "STEP", "SINCE", "UNTIL", "APPROVED", "WHO MAY APPROVE", "WHY"];
        out::table(head, entries.iter().map(row).collect())?;
    }
    if has_more {
        out::note(format_args!("only the newest {RUNS} runs that await an approval were read"));
    }
    Ok(Exit::Success)
}

/// The open approvals, and whether there are more runs than [`RUNS`].
async fn read(backend: &Backend) -> anyhow::Result<(Vec<Entry>, bool)> {
    let (runs, reader) = (backend.runs(), backend.reader());
    let filter = RunFilter { status: Some(RunStatus::AwaitingApproval), ..RunFilter::default() };
    let (mut entries, mut count) = (Vec::new(), 0);
    let mut cursor: Option<String> = None;
    loop {
        let page = runs.list(&filter, PAGE, cursor.as_deref()).await?;
        for head in page.runs {
            if count == RUNS {
                return Ok((entries, true));
            }
            count += 1;
            let (plan, commits) = reader.read(&head.run_id).await?;
            let Some(plan) = plan else { continue };
            let approvals = turn::fold(&plan, &commits)?.map(|state| state.open_approvals(&plan)).unwrap_or_default();
            entries.extend(approvals.into_iter().map(|approval| Entry {
                run_id: head.run_id.clone(),
                incident_id: head.incident_id.clone(),
                playbook: plan.playbook.name.clone(),
                approval,
            }));
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok((entries, false));
        }
    }
}

/// The time of a held run stands still.
fn until(approval: &OpenApproval) -> String {
    match approval.held_since {
        None => moment::rfc3339(approval.until),
        Some(since) => format!("held, {} left", left(approval, since)),
    }
}

fn row(entry: &Entry) -> [String; 7] {
    let approval = &entry.approval;
    [
        out::text(entry.run_id.as_str()),
        out::text(&name(approval)),
        moment::rfc3339(approval.since),
        until(approval),
        format!("{} of {}", approval.approved_by.len(), approval.min),
        out::text(&who(approval)),
        out::text(&approval.why),
    ]
}
