//! `heal shadow report`: what shadow runs would have done, for whoever decides whether a playbook may act.

use heal_engine::event::RunOutcome;
use heal_runtime::port::{Clock as _, RunFilter, RunHead, SystemClock};

use super::tally::{ActionTally, Tallies, WouldStep};
use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal shadow report --since 7d
  heal shadow report --stack prod --playbook worker_failure_recovery
  heal shadow report --json | jq -r '.steps[] | .run_id + \" \" + .would'";

/// Runs of one query.
const PAGE: usize = 200;
/// Runs that one report reads at most: each costs a read of its log.
const RUNS: usize = 2_000;
/// Steps that are shown for each action; `--json` has all of them.
const STEPS_SHOWN: usize = 10;

/// Reports what shadow runs would have done, for each action of each playbook, and what others did to the same targets
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Only runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z
    #[arg(long, value_name = "TIME", default_value = "7d")]
    since: String,
    /// Only runs of this playbook
    #[arg(long, value_name = "NAME")]
    playbook: Option<String>,
    /// One JSON object an action of a playbook
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let since = moment::parse_since(&args.since, SystemClock.now());
    let since = since.map_err(|wrong| anyhow::anyhow!("invalid --since: {wrong}"))?;
    let backend = Backend::open(&args.backend).await?;
    let filter = RunFilter { since: Some(since), playbook: args.playbook.clone(), ..RunFilter::default() };
    let (heads, has_more) = candidates(&backend, &filter).await?;
    let reader = backend.reader();
    let mut tallies = Tallies::default();
    let mut runs = 0;
    for head in heads {
        if let (Some(plan), commits) = reader.read(&head.run_id).await? {
            runs += usize::from(tallies.add(&plan, &commits));
        }
    }
    print(&args, runs, &tallies.finish())?;
    if has_more {
        out::note(format_args!("only the newest {RUNS} runs were read; --since and --playbook narrow the search"));
    }
    Ok(Exit::Success)
}

/// The runs that may be shadow runs, and whether there are more of them than [`RUNS`].
async fn candidates(backend: &Backend, filter: &RunFilter) -> anyhow::Result<(Vec<RunHead>, bool)> {
    let runs = backend.runs();
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let page = runs.list(filter, PAGE, cursor.as_deref()).await?;
        found.extend(page.runs.into_iter().filter(may_be_shadow));
        cursor = page.next;
        if cursor.is_none() || found.len() > RUNS {
            break;
        }
    }
    let has_more = found.len() > RUNS;
    found.truncate(RUNS);
    Ok((found, has_more))
}

/// A shadow run never ends `HEALED`, `COMPLETED`, `DEGRADED`, `NOT_HEALED` or `ESCALATED`. One that was denied or failed is told from a live one by its log.
const fn may_be_shadow(head: &RunHead) -> bool {
    match head.outcome {
        Some(
            RunOutcome::Healed
            | RunOutcome::Completed
            | RunOutcome::Degraded
            | RunOutcome::NotHealed
            | RunOutcome::Escalated,
        ) => false,
        Some(
            RunOutcome::Shadowed
            | RunOutcome::Failed
            | RunOutcome::Denied
            | RunOutcome::Timeout
            | RunOutcome::Cancelled,
        )
        | None => true,
    }
}

fn print(args: &Args, runs: usize, tallies: &[ActionTally]) -> std::io::Result<()> {
    if args.json {
        return tallies.iter().try_for_each(out::json);
    }
    if runs == 0 {
        out::note(format_args!("no shadow runs since {}", args.since));
        return Ok(());
    }
    out::line(format_args!("{} since {}", out::plural(runs, "shadow run"), args.since))?;
    let head = ["PLAYBOOK", "ACTION", "RUNS", "WOULD", "DENIED", "COOLING DOWN", "NOT NEEDED", "FAILED"];
    out::table(head, tallies.iter().map(row).collect())?;
    for tally in tallies {
        details(tally)?;
    }
    Ok(())
}

fn row(tally: &ActionTally) -> [String; 8] {
    let ActionTally { playbook, action, runs, would, denied, cooling_down, not_needed, failed, .. } = tally;
    let count = |count: &usize| count.to_string();
    [
        out::text(playbook),
        out::text(action),
        count(runs),
        count(would),
        count(denied),
        count(cooling_down),
        count(not_needed),
        count(failed),
    ]
}

fn details(tally: &ActionTally) -> std::io::Result<()> {
    if tally.steps.is_empty() && tally.rules.is_empty() {
        return Ok(());
    }
    out::line(format_args!("\n{} of {}", out::text(&tally.action), out::text(&tally.playbook)))?;
    for (rule, count) in &tally.rules {
        out::line(format_args!("  denied by {} {count} times", out::text(rule)))?;
    }
    for WouldStep { run_id, at, would, afterwards, .. } in tally.steps.iter().take(STEPS_SHOWN) {
        out::line(format_args!("  {}  {}  {run_id}", moment::rfc3339(*at), out::text(would)))?;
        for target in afterwards {
            out::line(format_args!("    afterwards {}", out::text(&target.to_string())))?;
        }
    }
    match tally.steps.len().saturating_sub(STEPS_SHOWN) {
        0 => Ok(()),
        more => out::line(format_args!("  … and {more} more, see --json")),
    }
}
