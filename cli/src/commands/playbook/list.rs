//! `heal playbook list`: the playbooks of a folder.

use heal_runtime::library::{Entry, Library};
use serde_json::json;

use crate::args::PlaybookDir;
use crate::exit::Exit;
use crate::{actions, out, playbooks};

/// Lists the playbooks with their triggers and steps
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// One JSON object a playbook
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let library = playbooks::library(&args.playbooks.playbooks, &actions::catalog())?;
    if args.json {
        for entry in library.entries() {
            out::json(&to_json(entry))?;
        }
    } else {
        print(&library)?;
    }
    Ok(Exit::Success)
}

fn print(library: &Library) -> std::io::Result<()> {
    let rows = library.entries().map(|entry| {
        let playbook = &entry.plan.playbook;
        let triggers: Vec<_> = playbook.triggers.iter().map(|trigger| trigger.incident_type.as_str()).collect();
        [
            playbook.name.clone(),
            out::text(&triggers.join(", ")),
            playbook.steps().count().to_string(),
            out::text(&playbook.description),
        ]
    });
    out::table(["PLAYBOOK", "TRIGGERS", "STEPS", "DESCRIPTION"], rows.collect())
}

fn to_json(entry: &Entry) -> serde_json::Value {
    let playbook = &entry.plan.playbook;
    json!({
        "name": playbook.name,
        "description": playbook.description,
        "digest": entry.plan.digest,
        "timeout_seconds": playbook.timeout_seconds,
        "triggers": playbook.triggers,
        "actions": playbook.actions.iter().map(|step| &step.name).collect::<Vec<_>>(),
        "verify": playbook.verify.iter().map(|step| &step.name).collect::<Vec<_>>(),
    })
}
