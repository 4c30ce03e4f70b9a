//! `heal autonomy set`: sets how far the engine may go alone with one playbook.

use anyhow::bail;
use heal_engine::{limit, suggest};
use heal_guard::{AutonomyLevel, AutonomySetting};
use heal_runtime::port::{Clock as _, SystemClock};

use super::Level;
use crate::args::PlaybookDir;
use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{actions, identity, out, playbooks};

const EXAMPLES: &str = "\
Examples:
  heal autonomy set worker_failure_recovery shadow --reason 'new, we watch it for a week'
  heal autonomy set worker_failure_recovery auto --reason '40 of 40 were right' --stack prod
  heal autonomy set workflow_restart off --reason 'restarts break the import of tonight'";

/// Sets how far the engine may go alone with a playbook, from its next incident on
///
/// Runs that have started are not changed: `heal runs cancel` stops one. Of this level and that of the guardrails the stricter one counts.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Name of the playbook
    #[arg(value_name = "PLAYBOOK")]
    playbook: String,
    /// How far the engine may go alone
    #[arg(value_enum, value_name = "LEVEL")]
    level: Level,
    /// Why; the record of each run has it
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    backend: BackendArgs,
    #[command(flatten)]
    playbooks: PlaybookDir,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let reason = args.reason.trim();
    if reason.is_empty() {
        bail!("--reason is empty, expected why the level changes: whoever reads the runs later wants to know");
    }
    if reason.len() > limit::TEXT_BYTES {
        bail!("--reason has {} bytes, the limit is {} bytes", reason.len(), limit::TEXT_BYTES);
    }
    check_name(&args)?;
    let setting = AutonomySetting {
        playbook: args.playbook.clone(),
        level: args.level.into(),
        by: identity::local(),
        reason: reason.to_owned(),
        since: SystemClock.now(),
        history: Vec::new(),
    };
    let backend = Backend::open(&args.backend).await?;
    let store = backend.autonomy();
    let Some((setting, before)) = heal_api::autonomy::put(&*store, setting).await? else {
        bail!("failed to set the level of {}: others set it at the same time; try again", args.playbook)
    };
    let before =
        before.map_or_else(|| "not set".to_owned(), |before| format!("{}, set by {}", before.level, before.by));
    out::line(format_args!("{} is {} in {backend}; before: {}", setting.playbook, setting.level, out::text(&before)))?;
    out::note(what_follows(setting.level));
    Ok(Exit::Success)
}

/// A level for a playbook that does not exist would hold nothing back.
fn check_name(args: &Args) -> anyhow::Result<()> {
    let folder = &args.playbooks.playbooks;
    if !folder.is_dir() {
        out::note(format_args!(
            "{}: the folder does not exist, so the playbook's name is not checked",
            folder.display()
        ));
        return Ok(());
    }
    let (library, _) = playbooks::usable(folder, &actions::catalog())?;
    let names: Vec<_> = library.names().collect();
    if names.contains(&args.playbook.as_str()) {
        return Ok(());
    }
    let meant = suggest::closest(&args.playbook, names.iter().copied());
    let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    bail!("there is no playbook `{}` in {}{meant}", out::text(&args.playbook), folder.display())
}

const fn what_follows(level: AutonomyLevel) -> &'static str {
    match level {
        AutonomyLevel::Off => "its next incidents are recorded as CANCELLED, and nothing is done",
        AutonomyLevel::Shadow => "its next runs change nothing; `heal shadow report` says what they would have done",
        AutonomyLevel::Approve => "its next runs wait for `heal runs approve`",
        AutonomyLevel::Auto => "its next runs act alone, unless the guardrails are stricter",
    }
}
