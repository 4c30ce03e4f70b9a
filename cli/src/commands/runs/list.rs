//! `heal runs list`: the runs of a backend, newest first.

use heal_engine::event::{RunOutcome, RunStatus};
use heal_runtime::port::{Clock as _, RunFilter, RunHead, SystemClock};

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal runs list --status failed --since 1d
  heal runs list --playbook ticket_timeout_recovery --limit 100
  heal runs list --stack prod
  heal runs list --json | jq -r 'select(.outcome == \"DENIED\") | .run_id'";

/// Runs of one query.
const PAGE: usize = 200;

/// Lists runs, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Only runs with this status
    #[arg(long, value_enum, ignore_case = true)]
    pub status: Option<Status>,
    /// Only runs of this playbook
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// Only runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Maximum number of runs
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub limit: usize,
    /// One JSON object a run
    #[arg(long)]
    pub json: bool,
}

/// The statuses of the remediation API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Status {
    Pending,
    AwaitingApproval,
    Running,
    Completed,
    Failed,
    Cancelled,
    Timeout,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let now = SystemClock.now();
    let since = args.since.as_deref().map(|text| moment::parse_since(text, now)).transpose();
    let since = since.map_err(|wrong| anyhow::anyhow!("invalid --since: {wrong}"))?;
    let runs = Backend::open(&args.backend).await?.runs();
    let filter = RunFilter { status: args.status.map(Into::into), playbook: args.playbook.clone(), since };
    let mut heads = Vec::new();
    let mut cursor = None;
    while heads.len() < args.limit {
        let page = runs.list(&filter, PAGE.min(args.limit - heads.len()), cursor.as_deref()).await?;
        heads.extend(page.runs);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    print(&args, &heads)?;
    if cursor.is_some() {
        out::note(format_args!("there are more than {}; --limit shows more", args.limit));
    }
    Ok(Exit::Success)
}

fn print(args: &Args, heads: &[RunHead]) -> std::io::Result<()> {
    if args.json {
        return heads.iter().try_for_each(out::json);
    }
    if heads.is_empty() {
        out::note("no runs");
        return Ok(());
    }
    let rows = heads.iter().map(row).collect();
    let head = ["RUN", "STATUS", "OUTCOME", "PLAYBOOK", "INCIDENT", "STARTED", "TOOK", "REASON"];
    out::table(head, rows)
}

fn row(head: &RunHead) -> [String; 8] {
    let took = head.status.is_terminal().then(|| moment::duration(head.updated_at.since_ms(head.started_at)));
    [
        out::text(head.run_id.as_str()),
        head.status.as_str().to_owned(),
        outcome_cell(head),
        out::text(head.playbook.as_deref().unwrap_or("-")),
        out::text(&head.incident_id),
        moment::rfc3339(head.started_at),
        took.unwrap_or_else(|| "-".to_owned()),
        out::text(head.reason.as_deref().unwrap_or_default()),
    ]
}

/// The outcome's word, with a mark if the run left something for a person.
fn outcome_cell(head: &RunHead) -> String {
    match head.outcome {
        Some(outcome @ RunOutcome::Degraded) => format!("{} !", outcome.as_str()),
        Some(outcome) => outcome.as_str().to_owned(),
        None => "-".to_owned(),
    }
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::AwaitingApproval => Self::AwaitingApproval,
            Status::Running => Self::Running,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
            Status::Timeout => Self::Timeout,
        }
    }
}
