//! `heal token create`: makes an API token and prints it, once.

use anyhow::{Context as _, bail};
use heal_api::Role;
use heal_api::doors::token::{self, NAME_BYTES, TOKENS, Tokens};
use heal_api::moment;
use heal_runtime::port::{Clock as _, OsEntropy, SystemClock};

use super::TokensFile;
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal token create ci --role operator --path /api/v1/incidents --expires-in 90d
  heal token create anna --role approver --expires-in 12h --tokens /etc/heal/tokens.json";

/// The longest life of a token, in milliseconds: a year.
const LONGEST_MS: u64 = 366 * 86_400_000;

/// Makes an API token and prints it, once: the file keeps only its SHA-256 hash
///
/// A running `heal serve` knows it within 2 seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Who uses the token; every change is recorded as by `token:NAME`
    #[arg(value_name = "NAME")]
    name: String,
    /// What the token allows
    #[arg(long, value_enum, value_name = "ROLE")]
    role: RoleName,
    /// For paths that start with this only
    #[arg(long, value_name = "PREFIX")]
    path: Option<String>,
    /// How long it is valid: `12h`, `90d`; 366 days at most
    #[arg(long, value_name = "TIME", default_value = "90d")]
    expires_in: String,
    #[command(flatten)]
    tokens: TokensFile,
}

/// The roles, the lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoleName {
    /// Reads everything
    Viewer,
    /// Starts, cancels, holds and releases runs, sends incidents, halts and resumes
    Operator,
    /// Answers approvals and acknowledges escalations too
    Approver,
    /// Sets autonomy and returns dead letters to their queues too
    Admin,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Viewer => Self::Viewer,
            RoleName::Operator => Self::Operator,
            RoleName::Approver => Self::Approver,
            RoleName::Admin => Self::Admin,
        }
    }
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let path = &args.tokens.file;
    if !token::is_name(&args.name) {
        bail!("invalid NAME: expected 1 to {NAME_BYTES} letters, digits, `-`, `_`, `.` or `@`");
    }
    if let Some(prefix) = args.path.as_deref().filter(|prefix| !prefix.starts_with('/')) {
        bail!("invalid --path: `{prefix}` is not the beginning of a path, expected `/…`");
    }
    let length_ms =
        moment::parse_length(&args.expires_in).map_err(|wrong| anyhow::anyhow!("invalid --expires-in: {wrong}"))?;
    if length_ms > LONGEST_MS {
        bail!("invalid --expires-in: {} is more than 366 days", args.expires_in);
    }
    let load = Tokens::load(path, true).map_err(|detail| anyhow::anyhow!("{}: {detail}", path.display()));
    let mut tokens = load?;
    if tokens.tokens.iter().any(|entry| entry.name == args.name) {
        bail!("there is a token `{}` already; `heal token revoke {}` first", args.name, args.name);
    }
    if tokens.tokens.len() >= TOKENS {
        bail!("{} has {TOKENS} tokens, which is the limit; revoke some", path.display());
    }
    let now = SystemClock.now();
    let times = [now, now.plus_ms(length_ms)];
    let (text, entry) = token::create(&args.name, args.role.into(), args.path.clone(), times, &OsEntropy)?;
    tokens.tokens.push(entry);
    tokens.store(path).with_context(|| format!("failed to write {}", path.display()))?;
    out::line(text)?;
    Ok(Exit::Success)
}
