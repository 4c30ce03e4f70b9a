//! `heal playbook show`: one playbook, as the engine understands it.

use crate::args::PlaybookDir;
use crate::exit::Verdict;

/// Shows one playbook in its resolved form: every default filled in, every step with what it needs and gives.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the playbook
    pub name: String,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// The canonical JSON that a run pins, one line
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("{}: cannot be shown in this build", args.name)
}
