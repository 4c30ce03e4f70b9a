//! `heal dlq redrive`: puts messages back on the queues that they came from.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use super::letters;
use crate::exit::Verdict;
use crate::out;
use crate::place::{Place, PlaceArgs};

const EXAMPLES: &str = "\
Examples:
  heal dlq redrive 0b1c4f5e-6d1f-4b0e-9f5e-1f2e3d4c5b6a --stack prod
  heal dlq redrive --all --yes";

/// Messages that one call moves.
const MOST: usize = 1_000;

/// Puts messages back on the queues that they came from, where they are taken as new
///
/// Exits with 1 where one of them is not among the dead letters.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Ids of messages, as `heal dlq list` shows them
    #[arg(value_name = "MESSAGE", required_unless_present = "all", conflicts_with = "all")]
    pub messages: Vec<String>,
    /// All of them, up to 1,000
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Do not ask before more than one is moved
    #[arg(long)]
    pub yes: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let place = Place::open(&args.place).await?;
    let wanted: BTreeSet<String> = if args.all {
        letters::list(&place, MOST).await?.into_iter().map(|letter| letter.message_id).collect()
    } else {
        args.messages.iter().cloned().collect()
    };
    if wanted.is_empty() {
        out::note("no dead letters");
        return Ok(Verdict::Done);
    }
    if wanted.len() > 1 && !args.yes && !agreed(&place, wanted.len())? {
        out::note("nothing was moved");
        return Ok(Verdict::Failed);
    }
    let moved = letters::redrive(&place, wanted.clone()).await?;
    for message_id in &wanted {
        let name = out::text(message_id);
        if moved.contains(message_id) {
            out::line(format_args!("{name} is back on its queue"))?;
        } else {
            out::note(format_args!("{name} is not among the dead letters"));
        }
    }
    Ok(Verdict::of(moved.len() == wanted.len()))
}

/// # Errors
/// There is nobody to ask.
fn agreed(place: &Place, count: usize) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!("{count} messages of {place} would be put back, and nobody is there to be asked: --yes agrees to it");
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "put {count} messages of {place} back on their queues? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
