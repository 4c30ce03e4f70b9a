//! `heal halts`: what is halted now.

use heal_guard::Halt;
use heal_runtime::port::{Clock as _, SystemClock};

use super::switch;
use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

/// Lists the halts in force, and how many runs they hold
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// One JSON object a halt
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    let halts = switch::lasting(&backend).await?;
    if args.json {
        halts.iter().try_for_each(out::json)?;
        return Ok(Exit::Success);
    }
    let held = backend.ports().due_runs.count_held().await?;
    if halts.is_empty() {
        out::note("nothing is halted");
    } else {
        let now = SystemClock.now();
        let rows = halts.iter().map(|halt| row(halt, now)).collect();
        out::table(["HALT", "WHAT", "UNTIL", "LEFT", "BY", "REASON"], rows)?;
    }
    if held > 0 {
        let held = out::plural(usize::try_from(held).unwrap_or(usize::MAX), "run");
        out::note(format_args!("{held} held; `heal runs list` marks them"));
    }
    Ok(Exit::Success)
}

fn row(halt: &Halt, now: heal_engine::Timestamp) -> [String; 6] {
    [
        halt.id.clone(),
        out::text(&halt.scope.to_string()),
        moment::rfc3339(halt.until),
        moment::duration(halt.until.since_ms(now) / 1_000 * 1_000),
        out::text(&halt.by),
        out::text(&halt.reason),
    ]
}
