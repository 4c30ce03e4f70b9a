//! `heal runs`: what a state file or a stack has of runs. Works beside a `heal serve` on the same file.

pub(crate) mod approve;
pub(crate) mod cancel;
mod change;
pub(crate) mod list;
pub(crate) mod show;
pub(crate) mod watch;

use heal_engine::RunId;

use crate::exit::Verdict;

/// Lists, shows, follows, cancels and approves runs of a state file or a deployed stack
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Watch(watch::Args),
    Cancel(cancel::Args),
    Approve(approve::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Show(args) => show::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Cancel(args) => cancel::run(args).await,
        Command::Approve(args) => approve::run(args).await,
    }
}

/// # Errors
/// The text cannot name a run.
fn run_id(text: &str) -> anyhow::Result<RunId> {
    if !RunId::is_legal(text) {
        anyhow::bail!("`{text}` cannot name a run; `heal runs list` has their ids");
    }
    Ok(RunId::new(text))
}
