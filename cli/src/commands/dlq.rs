//! `heal dlq`: messages that nobody could carry out, of a state file or a stack.

mod letters;
pub(crate) mod list;
pub(crate) mod redrive;

use crate::exit::Verdict;

/// Lists messages that nobody could carry out, and puts them back
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Redrive(redrive::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Redrive(args) => redrive::run(args).await,
    }
}
