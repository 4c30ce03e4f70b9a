//! `heal incident`: incidents for a deployed stack.

mod send;

use crate::exit::Exit;

/// Sends incidents to a deployed stack
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Send(send::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Send(args) => send::run(args).await,
    }
}
