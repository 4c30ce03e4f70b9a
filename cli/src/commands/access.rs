//! `heal access`: the identities of the HTTP API.

mod compile;

use crate::exit::Exit;

/// Validates the file of the HTTP API's identities, and compiles it for the function `api`
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Compile(args) => compile::run(&args),
    }
}
