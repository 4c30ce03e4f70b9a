//! `heal dlq redrive`: puts dead letters back on their queues.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

use anyhow::bail;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal dlq redrive 0b1c4f5e-6d1f-4b0e-9f5e-1f2e3d4c5b6a --stack prod
  heal dlq redrive --all --yes";

/// Maximum number of messages of one call.
const REDRIVE_LIMIT: usize = 1_000;

/// Puts dead letters back on their queues, where they count as new messages
///
/// Exits with 1 if one of them is not a dead letter.
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
    pub backend: BackendArgs,
    /// Do not ask for confirmation before moving more than one
    #[arg(long)]
    pub yes: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    let wanted: BTreeSet<String> = if args.all {
        backend.dead_letters(REDRIVE_LIMIT).await?.into_iter().map(|dead_letter| dead_letter.message_id).collect()
    } else {
        args.messages.iter().cloned().collect()
    };
    if wanted.is_empty() {
        out::note("no dead letters");
        return Ok(Exit::Success);
    }
    if wanted.len() > 1 && !args.yes && !confirm(&backend, wanted.len())? {
        out::note("nothing was moved");
        return Ok(Exit::Failure);
    }
    let moved = backend.redrive(&wanted).await?;
    for message_id in &wanted {
        let name = out::text(message_id);
        if moved.contains(message_id) {
            out::line(format_args!("{name} is back on its queue"))?;
        } else {
            out::note(format_args!("{name} is not a dead letter"));
        }
    }
    Ok(Exit::success_if(moved.len() == wanted.len()))
}

/// # Errors
/// Standard input is not a terminal, so the question cannot be asked.
fn confirm(backend: &Backend, count: usize) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        bail!(
            "standard input is not a terminal, so putting {count} messages of {backend} back cannot be confirmed; use --yes"
        );
    }
    let mut stderr = anstream::stderr();
    write!(stderr, "put {count} messages of {backend} back on their queues? [y/N] ")?;
    stderr.flush()?;
    let mut answer = String::new();
    stdin.lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
