//! `heal playbook`: the files of the playbooks.

mod compile;
mod lint;
mod list;
mod show;

use crate::exit::Exit;
use crate::{actions, out};

const SCHEMA_EXAMPLES: &str = "\
Examples:
  heal playbook schema > playbooks/playbook.schema.json
  # and as the first line of a playbook, for editors with a YAML language server:
  # yaml-language-server: $schema=playbook.schema.json";

/// Validates and shows playbooks
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    List(list::Args),
    Show(show::Args),
    /// Prints the JSON Schema of playbook files, with which editors complete and validate them
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::List(args) => list::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Schema => {
            out::line(serde_json::to_string_pretty(&heal_language::playbook::schema(&actions::catalog()))?)?;
            Ok(Exit::Success)
        }
        Command::Compile(args) => compile::run(&args),
    }
}
