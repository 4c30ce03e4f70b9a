//! `heal audit verify`: recomputes the chains of logs.

use futures_util::{StreamExt as _, stream};
use heal_engine::chain::{self, Broken};
use heal_engine::{Digest, Event, RunId, StoredCommit, format};
use heal_runtime::audit::{self, Day};
use heal_runtime::port::{BackendError, Clock as _, RunReader, SystemClock};
use serde_json::json;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal audit verify --state heal.db                     every log
  heal audit verify --stack prod --since 7d
  heal audit verify --stack prod --day 2026-11-28 --expect HEAD
  heal audit verify --stack prod --run RUN --expect DIGEST";

/// Logs that are read at the same time.
const READS: usize = 16;

/// Recomputes the chain of every log, and names the first commit of each that does not fit; exits with 1 if there is one
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Only this run
    #[arg(long, value_name = "RUN", conflicts_with_all = ["since", "day"])]
    run: Option<String>,
    /// Only runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z
    #[arg(long, value_name = "TIME", conflicts_with = "day")]
    since: Option<String>,
    /// Only runs that ended on this day in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Option<Day>,
    /// The head of the day, as `heal audit head` printed it then; with --run, the digest of that run
    #[arg(long, value_name = "HEAD")]
    expect: Option<String>,
    /// One JSON object for each log that does not fit, and one at the end
    #[arg(long)]
    json: bool,
}

/// What was found.
#[derive(Debug, Default)]
struct Audit {
    runs: usize,
    commits: usize,
    unchained: usize,
    broken: Vec<(RunId, String)>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    if args.expect.is_some() && args.run.is_none() && args.day.is_none() {
        anyhow::bail!("--expect needs --day DAY, whose head it is, or --run RUN");
    }
    let runs = Backend::open(&args.backend).await?.runs();
    let (run_ids, head) = candidates(&args, &*runs).await?;
    let read = |run_id: RunId| {
        let runs = &runs;
        async move { check(&**runs, &run_id).await.map(|checked| (run_id, checked)) }
    };
    let checked: Vec<_> = stream::iter(run_ids).map(read).buffered(READS).collect().await;
    let mut audit = Audit::default();
    for checked in checked {
        let (run_id, checked) = checked?;
        audit.add(run_id, checked);
    }
    print(&args, &audit, head.as_ref())?;
    let is_expected =
        args.expect.as_deref().is_none_or(|expect| head.is_some_and(|head| head.as_str() == expect.trim()));
    if !is_expected {
        out::note(
            "the head is not the expected one: a log was changed, added or removed since, or it is the head of another day",
        );
    }
    Ok(Exit::success_if(is_expected && audit.broken.is_empty()))
}

/// The runs to check, and what `--expect` is compared with.
async fn candidates(args: &Args, runs: &dyn RunReader) -> anyhow::Result<(Vec<RunId>, Option<Digest>)> {
    if let Some(run) = &args.run {
        if !RunId::is_legal(run) {
            anyhow::bail!("`{}` cannot name a run; `heal runs list` shows their ids", out::text(run));
        }
        let run_id = RunId::new(run);
        if runs.head(&run_id).await?.is_none() {
            anyhow::bail!(
                "run {run_id} does not exist, or was removed after its retention; `heal runs list` shows the runs"
            );
        }
        // A log that cannot be read has no digest; the check says why.
        let digest = runs.stored(&run_id).await.ok().and_then(|stored| chain::digest(&stored));
        return Ok((vec![run_id], digest));
    }
    if let Some(day) = args.day {
        let ends = day.ends(runs).await?;
        let run_ids = ends.iter().map(|end| end.run_id.clone()).collect();
        return Ok((run_ids, Some(chain::head_of_day(ends))));
    }
    let since = args.since.as_deref().map(|text| moment::parse_since(text, SystemClock.now())).transpose();
    let since = since.map_err(|wrong| anyhow::anyhow!("invalid --since: {wrong}"))?;
    let heads = audit::list(runs, since).await?;
    Ok((heads.into_iter().map(|head| head.run_id).collect(), None))
}

/// One log: whole, broken, or gone since it was listed.
enum Checked {
    Whole(chain::Verified),
    Broken(String),
    Removed,
}

/// # Errors
/// The store is unavailable.
async fn check(runs: &dyn RunReader, run_id: &RunId) -> anyhow::Result<Checked> {
    let stored = match runs.stored(run_id).await {
        Ok(stored) => stored,
        Err(BackendError::Corrupt { detail, .. }) => return Ok(Checked::Broken(format!("run {run_id}: {detail}"))),
        Err(error) => return Err(error.into()),
    };
    let head = runs.head(run_id).await?;
    match (chain::verify(&stored), head) {
        (_, None) => Ok(Checked::Removed),
        // Garbage collection removes the first commits of an ended run first.
        (Err(Broken::Start { .. }), Some(head))
            if head.status.is_terminal() && runs.load(run_id, 0).await.is_ok_and(|left| left.is_empty()) =>
        {
            Ok(Checked::Removed)
        }
        (Err(broken), Some(_)) => Ok(Checked::Broken(broken.to_string())),
        (Ok(verified), Some(head)) => Ok(match end(&stored) {
            // A live run may have gone on between the two reads.
            Some(end) if end < head.last_seq && head.status.is_terminal() => Checked::Broken(format!(
                "run {run_id}: the log ends at sequence number {end}, expected {}: its last commits are missing",
                head.last_seq
            )),
            Some(_) | None => Checked::Whole(verified),
        }),
    }
}

/// Sequence number of the last event; `None` if the last commit cannot be read.
fn end(stored: &[StoredCommit]) -> Option<u64> {
    let Some(last) = stored.last() else { return Some(0) };
    let events: Vec<Event> = format::decode(&last.events).ok()?;
    Some(last.first_seq + (events.len() as u64).saturating_sub(1))
}

impl Audit {
    fn add(&mut self, run_id: RunId, checked: Checked) {
        match checked {
            Checked::Removed => return,
            Checked::Broken(why) => self.broken.push((run_id, why)),
            Checked::Whole(verified) => {
                self.commits += verified.commits;
                self.unchained += verified.unchained;
            }
        }
        self.runs += 1;
    }
}

fn print(args: &Args, audit: &Audit, head: Option<&Digest>) -> std::io::Result<()> {
    let Audit { runs, commits, unchained, broken } = audit;
    if args.json {
        for (run_id, error) in broken {
            out::json(&json!({"run_id": run_id, "error": error}))?;
        }
        return out::json(
            &json!({"runs": runs, "commits": commits, "unchained": unchained, "broken": broken.len(), "head": head}),
        );
    }
    for (_, error) in broken {
        out::line(format_args!("broken: {}", out::text(error)))?;
    }
    let runs = out::plural(*runs, "run");
    let of = if *unchained > 0 { format!("{} of ", commits - unchained) } else { String::new() };
    let chained = if *unchained > 0 { " chained" } else { "" };
    match broken.len() {
        0 => out::line(format_args!("{runs}, {of}{}{chained}: every chain fits", out::plural(*commits, "commit")))?,
        count => out::line(format_args!("{count} of {runs} broken"))?,
    }
    if let Some(head) = head {
        out::line(format_args!("{} {head}", if args.run.is_some() { "digest" } else { "head" }))?;
    }
    if *unchained > 0 {
        out::note(format_args!(
            "{} of older builds have no chain: nothing vouches for them",
            out::plural(*unchained, "commit")
        ));
    }
    Ok(())
}
