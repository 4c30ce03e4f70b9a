//! `heal notify schema`: the JSON Schema of the file.

use crate::exit::Exit;
use crate::{actions, out};

const EXAMPLES: &str = "\
Examples:
  heal notify schema > playbooks/notify.schema.json
  # and as the first line of the file, for editors with a YAML language server:
  # yaml-language-server: $schema=notify.schema.json";

/// Prints the JSON Schema of the file, with which editors complete and validate it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Exit> {
    out::line(serde_json::to_string_pretty(&heal_language::notify::schema(&actions::catalog()))?)?;
    Ok(Exit::Success)
}
