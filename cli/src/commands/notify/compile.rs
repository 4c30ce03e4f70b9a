//! `heal notify compile`: the file that a function is deployed with.

use std::path::PathBuf;

use super::Files;
use crate::exit::Exit;
use crate::{notify, out};

/// Writes the notifications as one canonical JSON text
///
/// Writes nothing and exits with an error if the file has one. References to secrets stay references.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub files: Files,
    /// File to write; by default standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (_, rules) = args.files.rules()?;
    out::compiled(args.out.as_deref(), &rules.to_json())?;
    out::note(notify::summary(&rules));
    Ok(Exit::Success)
}
