//! `heal approvals`: what waits for people, and their answers.

mod answer;
mod list;
mod open;
mod show;

use crate::exit::Exit;

/// Lists, shows, approves and rejects what runs of a state file or a deployed stack ask people for
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    /// Approves exactly what `heal approvals show` shows
    Approve(answer::Approve),
    /// Rejects it: the step is denied, or the run does not start
    Reject(answer::Reject),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Show(args) => show::run(args).await,
        Command::Approve(args) => answer::approve(args).await,
        Command::Reject(args) => answer::reject(args).await,
    }
}
