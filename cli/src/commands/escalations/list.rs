//! `heal escalations list`: the escalated runs, those of the most severe incidents first.

use heal_api::worklist::{ESCALATION_RUNS, Escalation, Worklist};

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal escalations list                                 what waits for a person, the most severe first
  heal escalations list --all --stack prod              also what is acknowledged, and by whom
  heal escalations list --json | jq -r .run_id";

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

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    let worklist = Worklist { runs: &*backend.runs(), reader: &backend.reader() };
    let listing = worklist.escalations(args.all).await?;
    if args.json {
        listing.entries.iter().try_for_each(out::json)?;
    } else if listing.entries.is_empty() {
        out::note(if args.all { "no escalated runs" } else { "no escalated run waits for a person" });
    } else {
        let head = ["RUN", "SEVERITY", "SINCE", "JOINED", "ACKNOWLEDGED", "WHY"];
        out::table(head, listing.entries.iter().map(row).collect())?;
    }
    if listing.has_more {
        out::note(format_args!("there are more; these are the first {ESCALATION_RUNS}"));
    }
    Ok(Exit::Success)
}

fn row(entry: &Escalation) -> [String; 6] {
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
