//! `heal access compile`: the file that the function `api` is deployed with.

use std::path::PathBuf;

use heal_wiring::environment::ENV_API;

use crate::exit::Exit;
use crate::{access, out};

const EXAMPLES: &str = "\
Examples:
  heal access compile api.yaml --out api.json
  heal access compile api.yaml > /dev/null       validate it only";

/// Writes the identities as one JSON text, with the hashes of the API tokens in it
///
/// Writes nothing and exits with an error if the file has one. It has no secret: a token is stored as its hash.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// File of the API's identities, as for `heal serve --api`
    #[arg(value_name = "FILE", env = ENV_API)]
    pub file: PathBuf,
    /// File to write; by default standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let compiled = access::compile(&args.file)?;
    out::compiled(args.out.as_deref(), &compiled)?;
    Ok(Exit::Success)
}
