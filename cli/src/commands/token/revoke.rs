//! `heal token revoke`: ends an API token.

use anyhow::{Context as _, bail};
use heal_api::doors::token::Tokens;

use super::TokensFile;
use crate::exit::Exit;
use crate::out;

/// Ends an API token, and every session that was begun with it
///
/// A running `heal serve` refuses it within 2 seconds.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the token
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    tokens: TokensFile,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let path = &args.tokens.file;
    let mut tokens = Tokens::load(path, false).map_err(|detail| anyhow::anyhow!("{}: {detail}", path.display()))?;
    let before = tokens.tokens.len();
    tokens.tokens.retain(|entry| entry.name != args.name);
    if tokens.tokens.len() == before {
        bail!("{} has no token `{}`; `heal token list` shows them", path.display(), out::text(&args.name));
    }
    tokens.store(path).with_context(|| format!("failed to write {}", path.display()))?;
    out::line(format_args!("revoked {}", args.name))?;
    Ok(Exit::Success)
}
