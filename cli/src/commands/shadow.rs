//! `heal shadow`: what shadow runs would have done.

mod afterwards;
mod report;
mod tally;

use crate::exit::Exit;

/// Reports what shadow runs would have done
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Report(report::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Report(args) => report::run(args).await,
    }
}
