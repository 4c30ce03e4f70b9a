//! `heal escalations list`: the escalated runs, those of the most severe incidents first.

use heal_engine::event::RunOutcome;
use heal_engine::report;
use heal_engine::state::follow_up::{ESCALATION, full_id};
use heal_engine::{RunId, Timestamp};
use heal_runtime::port::RunFilter;
use serde::Serialize;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal escalations list                                 what waits for a person, the most severe first
  heal escalations list --all --stack prod              also what is acknowledged, and by whom
  heal escalations list --json | jq -r .run_id";

/// Runs of one query.
const PAGE: usize = 200;
/// Escalated runs that one listing shows at most: each costs a read of its log.
const RUNS: usize = 1_000;

/// Lists escalated runs that nobody has acknowledged, those of the most severe incidents first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Also those that are acknowledged, the newest first
    #[arg(long)]
    all: bool,
    /// One JSON object a run
    #[arg(long)]
    json: bool,
}

/// An escalated run.
#[derive(Serialize)]
struct Entry {
    run_id: RunId,
    playbook: Option<String>,
    severity: Option<String>,
    at: Timestamp,
    reason: Option<String>,
    /// Incidents about the target that have come since.
    joined: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acknowledged_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    let (run_ids, has_more) = escalated(&backend, args.all).await?;
    let mut entries = Vec::new();
    for run_id in run_ids {
        entries.push(read(&backend, run_id).await?);
    }
    if args.json {
        entries.iter().try_for_each(out::json)?;
    } else if entries.is_empty() {
        out::note(if args.all { "no escalated runs" } else { "no escalated run waits for a person" });
    } else {
        let head = ["RUN", "SEVERITY", "SINCE", "JOINED", "ACKNOWLEDGED", "WHY"];
        out::table(head, entries.iter().map(row).collect())?;
    }
    if has_more {
        out::note(format_args!("there are more; these are the first {RUNS}"));
    }
    Ok(Exit::Success)
}

async fn escalated(backend: &Backend, all: bool) -> anyhow::Result<(Vec<RunId>, bool)> {
    let filter = RunFilter { outcome: Some(RunOutcome::Escalated), needs_attention: !all, ..RunFilter::default() };
    let runs = backend.runs();
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = runs.list(&filter, PAGE, cursor.as_deref()).await?;
        found.extend(page.runs.into_iter().map(|head| head.run_id));
        cursor = page.next;
        if cursor.is_none() || found.len() > RUNS {
            break;
        }
    }
    let has_more = found.len() > RUNS;
    found.truncate(RUNS);
    Ok((found, has_more))
}

async fn read(backend: &Backend, run_id: RunId) -> anyhow::Result<Entry> {
    let (plan, commits) = backend.reader().read(&run_id).await?;
    let report = report::report(plan.as_deref(), &run_id, &commits)?;
    let id = full_id(&run_id, ESCALATION);
    let done = report.follow_ups.into_iter().find(|follow_up| follow_up.id == id);
    let (acknowledged_at, acknowledged_by, note) =
        done.map_or((None, None, None), |done| (done.done_at, done.done_by, done.note));
    Ok(Entry {
        run_id,
        playbook: report.playbook,
        severity: report.severity,
        at: report.started_at,
        reason: report.reason,
        joined: report.joined,
        acknowledged_at,
        acknowledged_by,
        note,
    })
}

fn row(entry: &Entry) -> [String; 6] {
    let acknowledged = match (&entry.acknowledged_by, &entry.note) {
        (Some(by), Some(note)) => format!("{}: {}", out::text(by), out::text(note)),
        (Some(by), None) => out::text(by),
        (None, _) => "-".to_owned(),
    };
    [
        out::text(entry.run_id.as_str()),
        out::text(entry.severity.as_deref().unwrap_or("-")),
        moment::rfc3339(entry.at),
        entry.joined.len().to_string(),
        acknowledged,
        out::text(entry.reason.as_deref().unwrap_or("-")),
    ]
}
