//! `heal playbook list`: the playbooks of a folder.

use std::path::PathBuf;

use heal_runtime::library::{Entry, Library};
use serde_json::json;

use crate::args::PlaybookDir;
use crate::exit::Exit;
use crate::{actions, out, playbooks, source};

/// What the list says of a file with errors.
const UNUSABLE: &str = "cannot be used, see its errors";

/// Lists the playbooks with their triggers and steps
///
/// A file with errors is marked; the errors are printed to standard error, and the exit status is 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    /// One JSON object a playbook
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (library, wrong) = playbooks::usable(&args.playbooks.playbooks, &actions::catalog())?;
    if args.json {
        library.entries().try_for_each(|entry| out::json(&to_json(entry)))?;
        wrong
            .iter()
            .try_for_each(|file| out::json(&json!({"name": source::stem(file), "file": file, "error": UNUSABLE})))?;
    } else {
        print(&library, &wrong)?;
    }
    Ok(if wrong.is_empty() { Exit::Success } else { Exit::Failure })
}

fn print(library: &Library, wrong: &[PathBuf]) -> std::io::Result<()> {
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
    let wrong = wrong.iter().map(|file| {
        let mark = format!("{UNUSABLE}: {}", file.display());
        [source::stem(file), "-".to_owned(), "-".to_owned(), out::text(&mark)]
    });
    let rows = rows.chain(wrong);
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
