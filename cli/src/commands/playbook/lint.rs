//! `heal playbook lint`: every fault of every file at once.

use std::path::PathBuf;

use engine::playbook::Severity;
use owo_colors::OwoColorize as _;
use runtime::library::Library;

use crate::exit::Verdict;
use crate::out::plural;
use crate::playbooks::{self, Source, diagnostics};
use crate::{actions, out};

const EXAMPLES: &str = "\
Examples:
  heal playbook lint                               the files of playbooks/
  heal playbook lint my/playbooks one-more.yaml    folders and files
  heal playbook lint --json | jq -r .message";

/// Finds unknown keys, actions, parameters and variables, cycles, wrong conditions, and more
///
/// Each fault comes with file, line, column, the line itself and what to do about it. Exits with 1 where a playbook has an error;
/// warnings alone exit with 0.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Files, or folders of `*.yaml` and `*.yml`
    #[arg(value_name = "PATH", default_value = "playbooks", env = "HEAL_PLAYBOOKS")]
    pub paths: Vec<PathBuf>,
    /// One JSON object a fault
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Verdict> {
    let sources = playbooks::read(&args.paths, &actions::catalog())?;
    for source in &sources {
        if args.json {
            for diagnostic in &source.reading.diagnostics {
                out::json(&diagnostics::to_json(source, diagnostic))?;
            }
        } else {
            for rendered in diagnostics::render(source, Severity::Warning) {
                out::line(rendered)?;
            }
        }
    }
    let tally = Tally::of(&sources);
    out::note(tally.told());
    // A playbook that reads well has to compile too; this finds what reading should have.
    let compiles = Library::new(playbooks::playbooks(sources)).map_err(|error| out::error(&error.into())).is_ok();
    Ok(Verdict::of(tally.errors == 0 && compiles))
}

struct Tally {
    files: usize,
    errors: usize,
    warnings: usize,
}

impl Tally {
    fn of(sources: &[Source]) -> Self {
        let count = |severity| {
            let all = sources.iter().flat_map(|source| &source.reading.diagnostics);
            all.filter(|diagnostic| diagnostic.severity == severity).count()
        };
        Self { files: sources.len(), errors: count(Severity::Error), warnings: count(Severity::Warning) }
    }

    fn told(&self) -> String {
        let files = plural(self.files, "playbook");
        match (self.errors, self.warnings) {
            (0, 0) => format!("{files}: {}", "no fault".green()),
            (0, warnings) => format!("{files}: {}", plural(warnings, "warning").yellow()),
            (errors, 0) => format!("{files}: {}", plural(errors, "error").red()),
            (errors, warnings) => {
                format!("{files}: {}, {}", plural(errors, "error").red(), plural(warnings, "warning").yellow())
            }
        }
    }
}
