//! `heal check`: the files of the scheduled checks.

mod compile;
mod folders;
mod lint;
mod list;
mod run;
mod schema;

use crate::exit::Exit;

/// Validates, shows and executes scheduled checks
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    List(list::Args),
    Run(run::Args),
    Schema(schema::Args),
    Compile(compile::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::List(args) => list::run(&args),
        Command::Run(args) => Box::pin(run::run(&args)).await,
        Command::Schema(args) => schema::run(&args),
        Command::Compile(args) => compile::run(&args),
    }
}
