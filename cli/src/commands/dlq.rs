//! `heal dlq`: the dead letters of a state file or a stack.

mod list;
mod redrive;

use crate::exit::Exit;

/// Lists the messages that could not be processed (dead letters), and puts them back
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Redrive(redrive::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Redrive(args) => redrive::run(args).await,
    }
}
