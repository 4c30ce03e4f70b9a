//! `heal check schema`: for editors.

use crate::exit::Verdict;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal check schema > playbooks/checks/check.schema.json
  # and as the first line of a check, for editors with a YAML language server:
  # yaml-language-server: $schema=check.schema.json";

/// Prints the JSON Schema of check files: completion and first faults while one types
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Verdict> {
    out::line(serde_json::to_string_pretty(&heal_language::check::schema())?)?;
    Ok(Verdict::Done)
}
