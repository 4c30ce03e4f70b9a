//! `heal token list`: the API tokens, without their secrets.

use heal_api::doors::token::Tokens;
use heal_api::moment;
use heal_runtime::port::{Clock as _, SystemClock};

use super::TokensFile;
use crate::exit::Exit;
use crate::out;

/// Lists the API tokens, without their secrets
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    tokens: TokensFile,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let path = &args.tokens.file;
    let tokens = Tokens::load(path, false).map_err(|detail| anyhow::anyhow!("{}: {detail}", path.display()))?;
    let now = SystemClock.now();
    let rows = tokens.tokens.iter().map(|entry| {
        let expires = moment::rfc3339(entry.expires);
        let expires = if now >= entry.expires { format!("{expires} (expired)") } else { expires };
        let prefix = entry.path.as_deref().map_or_else(|| "-".to_owned(), out::text);
        [entry.name.clone(), entry.role.as_str().to_owned(), moment::rfc3339(entry.created), expires, prefix]
    });
    out::table(["NAME", "ROLE", "CREATED", "EXPIRES", "PATH"], rows.collect())?;
    Ok(Exit::Success)
}
