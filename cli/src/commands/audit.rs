//! `heal audit`: whether the logs of runs are as they were written.

mod head;
mod verify;

use crate::exit::Exit;

/// Checks that the logs of runs are as they were written
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Head(head::Args),
    Verify(verify::Args),
}

pub(super) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Head(args) => head::run(args).await,
        Command::Verify(args) => verify::run(args).await,
    }
}
