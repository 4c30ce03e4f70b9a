//! `heal state check`: whether a state file is whole.

use serde_json::json;

use super::size;
use crate::args::StateFile;
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal state check --state heal.db
  heal state check --state heal.db --json | jq .findings
  heal state check --state heal.db --json | jq .rows                  how much is in which table";

/// Reads the whole state file and reports what is damaged, also while `heal serve` works on it
///
/// Changes nothing. Exits with 1 if anything is damaged. `heal serve` makes a quick check of its own at its start; of a large file, while it works.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub state: StateFile,
    /// Standard output gets one JSON object
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let path = &args.state.state;
    let examined = heal_embedded::examine(path)?;
    let is_whole = examined.findings.is_empty();
    if args.json {
        let heal_embedded::Examined { version, bytes, runs, rows, findings } = &examined;
        out::json(&json!({"version": version, "bytes": bytes, "runs": runs, "rows": rows, "findings": findings}))?;
        return Ok(Exit::success_if(is_whole));
    }
    for finding in &examined.findings {
        out::line(out::text(finding))?;
    }
    let (name, bytes) = (path.display(), size(examined.bytes));
    if is_whole {
        out::note(format_args!(
            "{name} is whole: {bytes}, {} runs, schema version {}",
            examined.runs, examined.version
        ));
    } else {
        out::note(format_args!("{name} is damaged ({bytes}); keep it, and restore a backup: docs/state-file.md"));
    }
    Ok(Exit::success_if(is_whole))
}
