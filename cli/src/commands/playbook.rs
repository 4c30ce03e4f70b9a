//! `heal playbook`: the files of the playbooks.

mod compile;
mod lint;
mod list;
mod schema;
mod show;

use crate::exit::Exit;

/// Validates and shows playbooks
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    List(list::Args),
    Show(show::Args),
    Schema(schema::Args),
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::List(args) => list::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Compile(args) => compile::run(&args),
    }
}
