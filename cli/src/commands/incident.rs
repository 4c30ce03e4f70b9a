//! `heal incident`: what goes into a deployed stack.

pub(crate) mod send;

use crate::exit::Verdict;

/// Sends incidents to a deployed stack
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Send(send::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Send(args) => send::run(args).await,
    }
}
