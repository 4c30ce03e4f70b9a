//! `heal followups`: what runs have left for a person, over all runs of a state file or a stack.

mod done;
mod list;

use crate::exit::Exit;

/// Lists what runs have left for a person, and reports it as done
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Done(done::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Done(args) => done::run(args).await,
    }
}
