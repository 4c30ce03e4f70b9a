//! `heal autonomy list`: the levels that people have set.

use heal_guard::AutonomySetting;

use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{moment, out};

/// Lists the playbooks that somebody has set a level for; every other one is as the guardrails say, without a rule `auto`
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    backend: BackendArgs,
    /// One JSON object a playbook
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
        out::table(["PLAYBOOK", "LEVEL", "SINCE", "BY", "REASON"], settings.iter().map(row).collect())?;
    }
    Ok(Exit::Success)
}

fn row(setting: &AutonomySetting) -> [String; 5] {
    let AutonomySetting { playbook, level, by, reason, since } = setting;
    [out::text(playbook), level.to_string(), moment::rfc3339(*since), out::text(by), out::text(reason)]
}
