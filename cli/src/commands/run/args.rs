//! The options of `heal run`.

use std::path::PathBuf;

use heal_wiring::environment::ENV_STATE;

use crate::args::{GuardrailsFile, PlaybookDir};
use crate::sandbox::Like;

const EXAMPLES: &str = "\
Examples:
  heal run tests/events/ticket_timeout.json --sandbox             a worker in a crash loop
  heal run tests/events/ticket_timeout.json --sandbox --healthy   a healthy worker
  heal run tests/events/platform/http_timeout_agent.json --sandbox --like deployed
  heal run incident.json --dry-run                                read and decide as a run does, and change nothing
  jq .incident alert.json | heal run - --state heal.db            kept in a file
  heal run incident.json --json | tail -1 | jq .outcome           for scripts";

/// Heals one incident in this process, and shows each step
///
/// Takes every shape that the queues take: an incident, a remediation request, an EventBridge or SNS envelope, a CloudWatch alarm.
/// Ctrl-C cancels the run: what is in flight is waited for, nothing new starts. A second Ctrl-C leaves at once.
/// An incident with several tickets starts one run for each if its playbook works on one ticket; they are shown one after the other.
/// Exits with 0 if the run is done, with 3 if it is DEGRADED (done, but something is left for a person), with 1 if it ended otherwise, and
/// with 2 if the incident cannot be processed. Of several runs, the worst counts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// JSON file of the incident; `-` is standard input
    #[arg(value_name = "INCIDENT.json")]
    pub incident: PathBuf,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    #[command(flatten)]
    pub guardrails: GuardrailsFile,
    /// Run this playbook, whatever the incident asks for
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// SQLite file that keeps the run; by default the run is not kept
    #[arg(long, env = ENV_STATE, value_name = "FILE.db")]
    pub state: Option<PathBuf>,
    /// One event a line as JSON, each run's report as its last line
    #[arg(long)]
    pub json: bool,
    /// Show playbook, steps, conditions and parameters, then run in shadow: read, decide, change nothing, and say what would be done
    ///
    /// The services have to be reachable, as for a run. The run is kept nowhere, whatever --state says, so no cooldown of an earlier run is
    /// seen. With --json, the first line has the steps.
    #[arg(long)]
    pub dry_run: bool,
    /// Start although the incident asks that a person looks first: you have. What the playbook asks is still asked
    #[arg(long, conflicts_with = "dry_run")]
    pub approve: bool,
    #[command(flatten)]
    pub sandbox: SandboxArgs,
}

/// Stand-in services in this process instead of the real ones.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sandbox")]
pub(crate) struct SandboxArgs {
    /// Run against stand-in services that have the incident's ticket, worker and workflow
    #[arg(long)]
    pub sandbox: bool,
    /// Whether the stand-in services behave as the integration guide says or as they are deployed
    #[arg(long, value_enum, default_value_t, requires = "sandbox")]
    pub like: Like,
    /// JSON file with the state of the stand-in services (see `heal sandbox --help`), instead of what the incident names
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    pub sandbox_seed: Option<PathBuf>,
    /// The incident's worker is healthy; otherwise it is in a crash loop
    #[arg(long, requires = "sandbox", conflicts_with = "sandbox_seed")]
    pub healthy: bool,
    /// State of the incident's workflow
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

/// The orchestrator's states that a seed may have.
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
