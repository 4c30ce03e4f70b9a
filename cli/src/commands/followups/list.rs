//! `heal followups list`: the follow-ups of all runs, those of the most severe incidents first.

use heal_engine::report::{self, FollowUp, Report};
use heal_engine::severity::Severity;
use heal_engine::{RunId, event::RunOutcome};
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::{Clock as _, RunFilter, RunHead, SystemClock};
use serde::Serialize;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal followups list                                   what is left to do, the most severe first
  heal followups list --stack prod --since 7d
  heal followups list --run RUN --all                   also what is done, and by whom
  heal followups list --json | jq -r '.id + \" \" + .text'";

/// Runs of one query.
const PAGE: usize = 200;
/// Runs that one listing reads at most: each costs a read of its log.
const RUNS: usize = 2_000;

/// Lists follow-ups, those of the most severe incidents first, then the oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Only follow-ups that nobody has reported as done (the default)
    #[arg(long, conflicts_with = "all")]
    open: bool,
    /// Also those that are done. Reads the log of every run that did not end well
    #[arg(long)]
    all: bool,
    /// Only of runs for this incident
    #[arg(long, value_name = "ID")]
    incident: Option<String>,
    /// Only of this run
    #[arg(long, value_name = "RUN", conflicts_with = "incident")]
    run: Option<String>,
    /// Only of runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// One JSON object a follow-up
    #[arg(long)]
    json: bool,
}

/// A follow-up with its run.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    follow_up: FollowUp,
    run_id: RunId,
    incident_id: String,
    playbook: Option<String>,
    severity: Option<String>,
    escalation_required: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let now = SystemClock.now();
    let since = args.since.as_deref().map(|text| moment::parse_since(text, now)).transpose();
    let since = since.map_err(|wrong| anyhow::anyhow!("invalid --since: {wrong}"))?;
    let backend = Backend::open(&args.backend).await?;
    let reader = backend.reader();
    let mut entries = Vec::new();
    let (run_ids, has_more) = match &args.run {
        Some(run) if RunId::is_legal(run) => (vec![RunId::new(run)], false),
        Some(run) => anyhow::bail!("`{run}` cannot name a run; `heal runs list` shows their ids"),
        // A run with an open follow-up needs a person; what is done is known to the logs alone.
        None => {
            let filter = RunFilter { since, needs_attention: !args.all, ..RunFilter::default() };
            candidates(&args, &backend, filter).await?
        }
    };
    for run_id in run_ids {
        entries.extend(read(&args, &reader, run_id).await?);
    }
    entries.sort_by_key(|entry| (Severity::rank(entry.severity.as_deref()), entry.follow_up.at));
    print(&args, &entries)?;
    if has_more {
        out::note(format_args!(
            "only {RUNS} runs with follow-ups were read; --since, --incident or --run narrow the search"
        ));
    }
    Ok(Exit::Success)
}

/// The runs that may have follow-ups, and whether there are more of them than [`RUNS`].
async fn candidates(args: &Args, backend: &Backend, filter: RunFilter) -> anyhow::Result<(Vec<RunId>, bool)> {
    let runs = backend.runs();
    let has_any = |head: &RunHead| if args.all { may_have_any(head) } else { head.open_follow_ups > 0 };
    let fits = |head: &RunHead| args.incident.as_ref().is_none_or(|id| head.incident_id == *id) && has_any(head);
    let mut found = Vec::new();
    let mut cursor = None;
    let mut has_more = false;
    loop {
        let page = runs.list(&filter, PAGE, cursor.as_deref()).await?;
        found.extend(page.runs.into_iter().filter(fits).map(|head| head.run_id));
        // A listing by urgency leaves out what the store did not examine.
        has_more |= filter.needs_attention && page.unexamined_before.is_some();
        cursor = page.next;
        if cursor.is_none() || found.len() > RUNS {
            break;
        }
    }
    has_more |= found.len() > RUNS;
    found.truncate(RUNS);
    Ok((found, has_more))
}

/// A run that left something for a person, done or not, never ends `HEALED` or `COMPLETED`.
const fn may_have_any(head: &RunHead) -> bool {
    match head.outcome {
        Some(RunOutcome::Healed | RunOutcome::Completed | RunOutcome::Shadowed) => false,
        Some(
            RunOutcome::Degraded
            | RunOutcome::NotHealed
            | RunOutcome::Failed
            | RunOutcome::Denied
            | RunOutcome::Timeout
            | RunOutcome::Cancelled
            | RunOutcome::Escalated,
        )
        | None => true,
    }
}

async fn read(args: &Args, reader: &Dispatcher, run_id: RunId) -> anyhow::Result<Vec<Entry>> {
    let (plan, commits) = reader.read(&run_id).await?;
    let report = report::report(plan.as_deref(), &run_id, &commits)?;
    let Report { follow_ups, incident_id, playbook, severity, escalation_required, .. } = report;
    let wanted = follow_ups.into_iter().filter(|follow_up| args.all || follow_up.is_open());
    let entry = |follow_up| Entry {
        follow_up,
        run_id: run_id.clone(),
        incident_id: incident_id.clone(),
        playbook: playbook.clone(),
        severity: severity.clone(),
        escalation_required,
    };
    Ok(wanted.map(entry).collect())
}

fn print(args: &Args, entries: &[Entry]) -> std::io::Result<()> {
    if args.json {
        return entries.iter().try_for_each(out::json);
    }
    if entries.is_empty() {
        out::note(if args.all { "no follow-ups" } else { "no open follow-ups" });
        return Ok(());
    }
    let head = ["FOLLOW-UP", "SEVERITY", "INCIDENT", "SINCE", "DONE", "WHAT IS LEFT"];
    out::table(head, entries.iter().map(row).collect())
}

fn row(entry: &Entry) -> [String; 6] {
    let Entry { follow_up, severity, escalation_required, .. } = entry;
    let mark = if *escalation_required { " !" } else { "" };
    let done = match (&follow_up.done_by, &follow_up.note) {
        (Some(by), Some(note)) => format!("{}: {}", out::text(by), out::text(note)),
        (Some(by), None) => out::text(by),
        (None, _) => "-".to_owned(),
    };
    [
        out::text(&follow_up.id),
        format!("{}{mark}", out::text(severity.as_deref().unwrap_or("-"))),
        out::text(&entry.incident_id),
        moment::rfc3339(follow_up.at),
        done,
        out::text(&follow_up.text),
    ]
}
