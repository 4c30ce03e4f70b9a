//! `heal runs list`: the runs of a backend, newest first, or those that need a person, most urgent first.

mod words;

use std::collections::BTreeMap;

use heal_engine::RunId;
use heal_runtime::Timestamp;
use heal_runtime::port::{Clock as _, RunFilter, RunHead, RunReader, SystemClock};
use serde::Serialize;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::queue::{self, Place};
use crate::{moment, out};
use words::{Outcome, Severity, Status};

const EXAMPLES: &str = "\
Examples:
  heal runs list --needs-attention
  heal runs list --ticket ticket-17 --since 7d
  heal runs list --outcome not_healed --playbook ticket_timeout_recovery
  heal runs list --stack prod --incident inc-42
  heal runs list --json | jq -r 'select(.needs_attention) | .run_id'";

/// Runs of one query.
const PAGE: usize = 200;
/// Incomplete pages after which the listing ends although it has found less than was asked for. A store examines some thousand runs a page.
const INCOMPLETE_PAGES: usize = 10;

/// Lists runs, newest first
///
/// Filters add up. A `!` marks runs that need a person: they await an approval, ended with something left to do, or have open follow-ups.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Only runs that need a person, the most severe first
    #[arg(long)]
    pub needs_attention: bool,
    /// Only runs with this status
    #[arg(long, value_enum, ignore_case = true)]
    pub status: Option<Status>,
    /// Only runs that ended so
    #[arg(long, value_enum, ignore_case = true)]
    pub outcome: Option<Outcome>,
    /// Only runs whose incident is so severe
    #[arg(long, value_enum, ignore_case = true)]
    pub severity: Option<Severity>,
    /// Only runs of this playbook
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// Only runs of this incident
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// Only runs about this ticket
    #[arg(long, value_name = "ID")]
    pub ticket: Option<String>,
    /// Only runs about this workflow
    #[arg(long, value_name = "ID")]
    pub workflow: Option<String>,
    /// Only runs about this worker
    #[arg(long, value_name = "ID")]
    pub worker: Option<String>,
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

/// What was found.
struct Listed {
    heads: Vec<RunHead>,
    /// There are more than the limit.
    more: bool,
    /// Runs that started before then were not examined.
    unexamined_before: Option<Timestamp>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let filter = filter(&args)?;
    let runs = Backend::open(&args.backend).await?.runs();
    let listed = list(&*runs, &filter, args.limit).await?;
    print(&args, &listed.heads, &queue::places(&*runs, &listed.heads).await?)?;
    if let Some(moment) = listed.unexamined_before {
        let moment = moment::rfc3339(moment);
        out::note(format_args!(
            "stopped early: runs that started before {moment} were not examined; --since shortens the search"
        ));
    } else if listed.more {
        out::note(format_args!("there are more than {}; --limit shows more", args.limit));
    }
    Ok(Exit::Success)
}

fn filter(args: &Args) -> anyhow::Result<RunFilter> {
    let since = args.since.as_deref().map(|text| moment::parse_since(text, SystemClock.now())).transpose();
    Ok(RunFilter {
        status: args.status.map(Into::into),
        outcome: args.outcome.map(Into::into),
        playbook: args.playbook.clone(),
        incident_id: args.incident.clone(),
        ticket_id: args.ticket.clone(),
        workflow_id: args.workflow.clone(),
        worker_id: args.worker.clone(),
        severity: args.severity.map(|severity| severity.as_str().to_owned()),
        since: since.map_err(|wrong| anyhow::anyhow!("invalid --since: {wrong}"))?,
        needs_attention: args.needs_attention,
    })
}

async fn list(runs: &dyn RunReader, filter: &RunFilter, limit: usize) -> anyhow::Result<Listed> {
    let mut listed = Listed { heads: Vec::new(), more: false, unexamined_before: None };
    let mut cursor = None;
    let mut incomplete = 0;
    while listed.heads.len() < limit {
        let page = runs.list(filter, PAGE.min(limit - listed.heads.len()), cursor.as_deref()).await?;
        listed.heads.extend(page.runs);
        listed.more = page.next.is_some();
        listed.unexamined_before = page.unexamined_before;
        incomplete += usize::from(page.unexamined_before.is_some());
        cursor = page.next;
        if cursor.is_none() || incomplete == INCOMPLETE_PAGES {
            break;
        }
    }
    Ok(listed)
}

/// A run as JSON: every field of its index entry, whether it needs a person, and its place in the queue if it waits for room.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    head: &'a RunHead,
    needs_attention: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<Place>,
}

fn print(args: &Args, heads: &[RunHead], places: &BTreeMap<RunId, Place>) -> std::io::Result<()> {
    if args.json {
        let queue = |head: &RunHead| places.get(&head.run_id).copied();
        let line = |head| Line { head, needs_attention: RunHead::needs_attention(head), queue: queue(head) };
        let mut lines = heads.iter().map(line);
        return lines.try_for_each(|line| out::json(&line));
    }
    if heads.is_empty() {
        out::note("no runs");
        return Ok(());
    }
    let rows = heads.iter().map(|head| row(head, places.get(&head.run_id))).collect();
    let head = ["RUN", "STATUS", "OUTCOME", "SEVERITY", "PLAYBOOK", "INCIDENT", "TICKET", "STARTED", "TOOK", "REASON"];
    out::table(head, rows)
}

fn row(head: &RunHead, place: Option<&Place>) -> [String; 10] {
    let took = head.status.is_terminal().then(|| moment::duration(head.updated_at.since_ms(head.started_at)));
    let text = |text: Option<&String>| out::text(text.map_or("-", String::as_str));
    [
        out::text(head.run_id.as_str()),
        status_cell(head, place),
        outcome_cell(head),
        text(head.subject.severity.as_ref()),
        text(head.playbook.as_ref()),
        out::text(&head.incident_id),
        text(head.subject.ticket_id.as_ref()),
        moment::rfc3339(head.started_at),
        took.unwrap_or_else(|| "-".to_owned()),
        out::text(head.reason.as_deref().unwrap_or_default()),
    ]
}

/// The status, with the mark if the run needs a person and has no outcome to carry the mark, and with what holds the run, or its place
/// in the queue.
fn status_cell(head: &RunHead, place: Option<&Place>) -> String {
    let status = mark(head.status.as_str(), head.outcome.is_none() && head.needs_attention());
    match (&head.held_by, place) {
        (Some(holder), _) => format!("{status}, held by {}", out::text(holder)),
        (None, Some(place)) => format!("{status}, {place}"),
        (None, None) => status,
    }
}

fn outcome_cell(head: &RunHead) -> String {
    head.outcome.map_or_else(|| "-".to_owned(), |outcome| mark(outcome.as_str(), head.needs_attention()))
}

fn mark(word: &str, needs_attention: bool) -> String {
    if needs_attention { format!("{word} !") } else { word.to_owned() }
}
