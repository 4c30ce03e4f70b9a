//! `heal escalations`: targets that the engine leaves alone, because the same remedy was needed too often.

mod ack;
mod list;

use crate::exit::Exit;

/// Lists targets for which the same remedy was needed too often, and lets the engine act on them again
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Ack(ack::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Ack(args) => ack::run(args).await,
    }
}
