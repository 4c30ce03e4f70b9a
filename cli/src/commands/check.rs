//! `heal check`: the files of the scheduled checks.

mod compile;
mod folders;
mod lint;
mod list;
mod run;

use crate::exit::Exit;
use crate::out;

const SCHEMA_EXAMPLES: &str = "\
Examples:
  heal check schema > playbooks/checks/check.schema.json
  # and as the first line of a check, for editors with a YAML language server:
  # yaml-language-server: $schema=check.schema.json";

/// Validates, shows and executes scheduled checks
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    List(list::Args),
    Run(run::Args),
    /// Prints the JSON Schema of check files, with which editors complete and validate them
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    Compile(compile::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::List(args) => list::run(&args),
        Command::Run(args) => Box::pin(run::run(&args)).await,
        Command::Schema => {
            out::line(serde_json::to_string_pretty(&heal_language::check::schema())?)?;
            Ok(Exit::Success)
        }
        Command::Compile(args) => compile::run(&args),
    }
}
