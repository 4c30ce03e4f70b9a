//! `heal audit head`: one digest over all runs that ended on a day, for others to keep.

use anyhow::Context as _;
use heal_runtime::audit::{Day, DayHead};
use heal_runtime::port::{Clock as _, SystemClock};
use serde_json::json;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal audit head --stack prod                          of yesterday
  heal audit head --stack prod --day 2026-11-28 --json >> heads.jsonl
  heal audit verify --stack prod --day 2026-11-28 --expect HEAD";

/// Prints the head of a day: one digest over the logs of all runs that ended on it
///
/// Keep it where nobody can change it who can change the runs: then a change of any of these logs is found, even one that was made with all
/// chains computed anew.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// The day in UTC [default: yesterday]
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<Day>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let now = SystemClock.now();
    let day = args.day.or_else(|| Day::before(now)).context("the clock is before 1970-01-02")?;
    let DayHead { runs, head, .. } = day.head(&*Backend::open(&args.backend).await?.runs()).await?;
    if args.json {
        out::json(&json!({"day": day.to_string(), "runs": runs, "head": head}))?;
    } else {
        out::line(format_args!("{day}  {}  {head}", out::plural(runs, "run")))?;
    }
    if !day.is_over(now) {
        out::note(format_args!("{day} is not over in UTC: its head changes with every run that ends"));
    }
    Ok(Exit::Success)
}
