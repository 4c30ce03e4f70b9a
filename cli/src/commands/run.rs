//! `heal run`: one incident, here and now, to its end.

mod perform;
mod preview;
mod seed;

use std::path::PathBuf;

use anyhow::Context as _;
use heal_engine::limit;
use heal_runtime::dispatcher::Prepared;

use crate::args::PlaybookDir;
use crate::exit::Verdict;
use crate::{actions, file, out, playbooks};

const EXAMPLES: &str = "\
Examples:
  heal run tests/events/ticket_timeout.json --sandbox             a worker that is ill
  heal run tests/events/ticket_timeout.json --sandbox --healthy   a worker that is well
  heal run incident.json --dry-run                                what would be done
  jq .incident alert.json | heal run - --state heal.db            kept in a file
  heal run incident.json --json | tail -1 | jq .outcome           for scripts";

/// Heals one incident in this process, and shows how
///
/// Takes every shape that the queues take: an incident, a remediation request, an EventBridge or SNS envelope, a CloudWatch alarm.
/// Ctrl-C cancels the run: what is in flight is waited for, nothing new starts. A second Ctrl-C leaves at once.
/// Exits with 0 where the run's status is COMPLETED, with 1 where it is another, with 2 where the incident cannot be carried out.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// JSON file of the incident; `-` is standard input
    #[arg(value_name = "INCIDENT.json")]
    pub incident: PathBuf,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// Run this playbook, whatever the incident asks for
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// SQLite file that keeps the run; without it, it is forgotten at the end
    #[arg(long, env = "HEAL_STATE", value_name = "FILE.db")]
    pub state: Option<PathBuf>,
    /// One event a line as JSON, the report as the last line
    #[arg(long)]
    pub json: bool,
    /// Only show playbook, steps, conditions and parameters; nothing is touched
    #[arg(long)]
    pub dry_run: bool,
    /// Agree beforehand to a run that asks for approval
    #[arg(long, conflicts_with = "dry_run")]
    pub approve: bool,
    #[command(flatten)]
    pub sandbox: SandboxArgs,
}

/// Stand-in services in this process instead of the real ones.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct SandboxArgs {
    /// Run against stand-in services that know the incident's ticket, worker and workflow
    #[arg(long)]
    pub sandbox: bool,
    /// What the stand-in services know, as JSON (see `heal sandbox --help`), instead of what the incident names
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    pub sandbox_seed: Option<PathBuf>,
    /// The incident's worker is well; otherwise it is in a crash loop
    #[arg(long, requires = "sandbox", conflicts_with = "sandbox_seed")]
    pub healthy: bool,
    /// How the incident's workflow stands
    #[arg(
        long,
        value_enum,
        value_name = "STATE",
        requires = "sandbox",
        conflicts_with = "sandbox_seed",
        ignore_case = true
    )]
    pub workflow_state: Option<WorkflowState>,
}

/// The orchestrator's states, as far as a seed may have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WorkflowState {
    Pending,
    Running,
    Paused,
    Completed,
    Failed,
    Cancelled,
    Replanning,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let message = file::read_text(&args.incident, limit::MESSAGE_BYTES as u64)?;
    let library = playbooks::library(&args.playbooks.playbooks, &actions::catalog())?;
    // Whatever is wrong with the incident is wrong here: nothing has been started or stored.
    let prepared =
        Prepared::new(&library, &message, args.playbook.as_deref()).with_context(|| file::name(&args.incident))?;
    let reserved = &prepared.intake().reserved;
    if !reserved.is_empty() {
        let names = reserved.join(", ");
        out::note(format_args!("left out, because playbooks mean something else by these names: {names}"));
    }
    if args.dry_run {
        preview::show(&prepared, args.json)?;
        return Ok(Verdict::Done);
    }
    perform::perform(&args, library, prepared).await
}
