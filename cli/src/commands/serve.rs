//! `heal serve`: the embedded service.

use std::net::SocketAddr;

use crate::args::{PlaybookDir, StateFile};
use crate::exit::Verdict;

const EXAMPLES: &str = "\
Examples:
  heal serve --state heal.db --playbooks playbooks --listen 127.0.0.1:8080
  curl -X POST localhost:8080/api/v1/incidents -H 'content-type: application/json' -d @tests/events/ticket_timeout.json
  curl localhost:8080/api/v1/playbooks
  heal runs list --state heal.db";

/// Serves the remediation API, and carries out what comes in.
///
/// Everything accepted is on the disk before it is answered: the process may be killed at any moment and goes on where it stood.
/// SIGTERM and Ctrl-C end it after what is in flight. A state file has one `heal serve` at a time; `heal runs` works beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub state: StateFile,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// Address of the HTTP API; port 0 takes a free one
    #[arg(long, env = "HEAL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
}

#[expect(clippy::unused_async, reason = "the shape of every command")]
pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("{}: cannot be served in this build", args.listen)
}
