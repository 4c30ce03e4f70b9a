//! `heal guardrails compile`: the file that functions are deployed with.

use std::path::PathBuf;

use super::Files;
use crate::exit::Exit;
use crate::playbooks::diagnostics;
use crate::{guardrails, out};

const EXAMPLES: &str = "\
Examples:
  heal guardrails compile --out guardrails.json             playbooks/guardrails.yaml
  heal guardrails compile my/guardrails.yaml --playbooks my/playbooks > guardrails.json";

/// Writes the guardrails as one canonical JSON text, every default filled in
///
/// Writes nothing and exits with 1 if the file has an error. A missing file is an error: an empty one means the defaults.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub files: Files,
    /// File to write; by default standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let source = args.files.read()?;
    diagnostics::print_errors([source.faults()].into_iter());
    let Some(compiled) = source.value else {
        out::note("the guardrails cannot be compiled");
        return Ok(Exit::Failure);
    };
    out::compiled(args.out.as_deref(), &compiled.to_json())?;
    out::note(guardrails::summary(&compiled));
    Ok(Exit::Success)
}
