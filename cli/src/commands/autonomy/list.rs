//! `heal autonomy list`: the levels that people have set, and those that went down by themselves.

use heal_guard::{AutonomyLevel, AutonomySetting};

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

/// Lists the playbooks that somebody has set a level for; every other one is as the guardrails say, without a rule `auto`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// Also the levels before, each in a line of its own
    #[arg(long)]
    history: bool,
    /// One JSON object a playbook, with the levels before
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let settings = Backend::open(&args.backend).await?.autonomy().settings().await?;
    if args.json {
        settings.iter().try_for_each(out::json)?;
    } else if settings.is_empty() {
        out::note("nobody has set a level of autonomy: every playbook is as the guardrails say, without a rule `auto`");
    } else {
        out::table(
            ["PLAYBOOK", "LEVEL", "SINCE", "BY", "REASON"],
            settings.iter().flat_map(|setting| rows(setting, args.history)).collect(),
        )?;
    }
    Ok(Exit::Success)
}

/// The level of a playbook, then those before it if they are wanted.
fn rows(setting: &AutonomySetting, history: bool) -> Vec<[String; 5]> {
    let AutonomySetting { playbook, level, by, reason, since, history: before } = setting;
    let row = |playbook: &str, level: AutonomyLevel, since, by: &str, reason: &str| {
        [out::text(playbook), level.to_string(), moment::rfc3339(since), out::text(by), out::text(reason)]
    };
    let before = before.iter().filter(|_| history);
    let before = before.map(|change| row("", change.level, change.since, &change.by, &change.reason));
    std::iter::once(row(playbook, *level, *since, by, reason)).chain(before).collect()
}
