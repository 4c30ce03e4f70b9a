//! `heal playbook`: the playbooks as files.

pub(crate) mod compile;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod schema;
pub(crate) mod show;

use crate::exit::Verdict;

/// Checks and shows playbooks.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    List(list::Args),
    Show(show::Args),
    Schema(schema::Args),
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::List(args) => list::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Compile(args) => compile::run(&args),
    }
}
