//! `heal playbook schema`: the JSON Schema of playbook files.

use crate::exit::Exit;
use crate::{actions, out};

const EXAMPLES: &str = "\
Examples:
  heal playbook schema > playbooks/playbook.schema.json
  # and as the first line of a playbook, for editors with a YAML language server:
  # yaml-language-server: $schema=playbook.schema.json";

/// Prints the JSON Schema of playbook files, with which editors complete and validate them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<Exit> {
    let schema = heal_language::playbook::schema(&actions::catalog());
    out::line(serde_json::to_string_pretty(&schema)?)?;
    Ok(Exit::Success)
}
