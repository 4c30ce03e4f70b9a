//! `heal token`: the API tokens of `heal serve`.

mod create;
mod list;
mod revoke;

use std::path::PathBuf;

use crate::exit::Exit;

/// Makes, lists and revokes API tokens, by which callers of `heal serve` identify themselves
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Create(create::Args),
    List(list::Args),
    Revoke(revoke::Args),
}

/// The file of the tokens.
#[derive(Debug, clap::Args)]
struct TokensFile {
    /// File of the tokens' hashes, the `tokens` of the file of `heal serve --api`
    #[arg(long = "tokens", value_name = "FILE", default_value = "tokens.json")]
    file: PathBuf,
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Create(args) => create::run(&args),
        Command::List(args) => list::run(&args),
        Command::Revoke(args) => revoke::run(&args),
    }
}
