//! `heal followups list`: the follow-ups of all runs, those of the most severe incidents first.

use heal_api::worklist::{FOLLOW_UP_RUNS, FollowUpEntry, FollowUpFilter, Worklist};
use heal_engine::RunId;
use heal_runtime::port::{Clock as _, SystemClock};

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal followups list                                   what is left to do, the most severe first
  heal followups list --stack prod --since 7d
  heal followups list --run RUN --all                   also what is done, and by whom
  heal followups list --json | jq -r '.id + \" \" + .text'";

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

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let now = SystemClock.now();
    let since = args.since.as_deref().map(|text| moment::parse_since(text, now)).transpose();
    let since = since.map_err(|wrong| anyhow::anyhow!("invalid --since: {wrong}"))?;
    let run_id = match &args.run {
        Some(run) if RunId::is_legal(run) => Some(RunId::new(run)),
        Some(run) => anyhow::bail!("`{run}` cannot name a run; `heal runs list` shows their ids"),
        None => None,
    };
    let backend = Backend::open(&args.backend).await?;
    let filter = FollowUpFilter { all: args.all, incident_id: args.incident.clone(), run_id, since };
    let worklist = Worklist { runs: &*backend.runs(), reader: &backend.reader() };
    let listing = worklist.follow_ups(&filter).await?;
    print(&args, &listing.entries)?;
    if listing.has_more {
        out::note(format_args!(
            "only {FOLLOW_UP_RUNS} runs with follow-ups were read; --since, --incident or --run narrow the search"
        ));
    }
    Ok(Exit::Success)
}

fn print(args: &Args, entries: &[FollowUpEntry]) -> std::io::Result<()> {
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

fn row(entry: &FollowUpEntry) -> [String; 6] {
    let FollowUpEntry { follow_up, severity, escalation_required, .. } = entry;
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
