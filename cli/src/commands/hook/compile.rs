//! `heal hook compile`: the file that the function `api` is deployed with.

use std::path::PathBuf;

use super::Files;
use crate::exit::Exit;
use crate::out;
use crate::playbooks::diagnostics;

const EXAMPLES: &str = "\
Examples:
  heal hook compile --out hooks.json             playbooks/hooks.yaml
  heal hook compile --hooks my/hooks.yaml --playbooks my/playbooks > hooks.json";

/// Writes the hooks as one canonical JSON text
///
/// Writes nothing and exits with 1 if the file has an error.
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
        out::note("the hooks cannot be compiled");
        return Ok(Exit::Failure);
    };
    out::compiled(args.out.as_deref(), &compiled.to_json())?;
    out::note(out::plural(compiled.rules.len(), "rule"));
    Ok(Exit::Success)
}
