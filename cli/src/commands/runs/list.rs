//! `heal runs list`: which runs there are, newest first.

use crate::args::StateFile;
use crate::exit::Verdict;

const EXAMPLES: &str = "\
Examples:
  heal runs list --status failed --since 1d
  heal runs list --playbook ticket_timeout_recovery --limit 100
  heal runs list --json | jq -r 'select(.outcome == \"DENIED\") | .run_id'";

/// Lists runs, newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub state: StateFile,
    /// Only runs with this status
    #[arg(long, value_enum, ignore_case = true)]
    pub status: Option<Status>,
    /// Only runs of this playbook
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// Only runs started since then: `90s`, `15m`, `2h`, `7d`, or a time such as 2026-11-23T20:21:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub limit: usize,
    /// One JSON object a run
    #[arg(long)]
    pub json: bool,
}

/// The statuses of the remediation API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Status {
    Pending,
    AwaitingApproval,
    Running,
    Completed,
    Failed,
    Cancelled,
    Timeout,
}

#[expect(clippy::unused_async, reason = "the shape of every command")]
pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("{}: cannot be listed in this build", args.state.state.display())
}
