//! `heal playbook list`: which playbooks there are.

use crate::args::PlaybookDir;
use crate::exit::Verdict;

/// Lists the playbooks with their triggers and steps.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// One JSON object a playbook
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Verdict> {
    anyhow::bail!("{}: cannot be read in this build", args.playbooks.playbooks.display())
}
