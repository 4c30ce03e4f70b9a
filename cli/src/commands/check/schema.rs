//! `heal check schema`: the JSON Schema of check files.

use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal check schema > playbooks/checks/check.schema.json
  # and as the first line of a check, for editors with a YAML language server:
  # yaml-language-server: $schema=check.schema.json";

/// Prints the JSON Schema of check files, with which editors complete and validate them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Exit> {
    out::line(serde_json::to_string_pretty(&heal_language::check::schema())?)?;
    Ok(Exit::Success)
}
