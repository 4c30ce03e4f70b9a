//! `heal playbook lint`: every fault of every file at once.

use std::path::PathBuf;

use heal_language::Severity;
use heal_runtime::library::Library;
use owo_colors::OwoColorize as _;

use crate::exit::Verdict;
use crate::out::plural;
use crate::playbooks::diagnostics::{self, Faults};
use crate::playbooks::{self, Source};
use crate::{actions, checks, out};

const EXAMPLES: &str = "\
Examples:
  heal playbook lint                               the files of playbooks/
  heal playbook lint my/playbooks one-more.yaml    folders and files
  heal playbook lint --json | jq -r .message";

/// Finds unknown keys, actions, parameters and variables, cycles, wrong conditions, and more
///
/// The scheduled checks in the folder `checks` of a folder are read too, and have to lead to one of the playbooks.
/// Each fault comes with file, line, column, the line itself and what to do about it. Exits with 1 where there is an error;
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
    // A playbook that cannot be read may be the one that an incident leads to: then nothing is said of that.
    let all: Option<Vec<_>> = sources.iter().map(|source| source.reading.playbook.clone()).collect();
    let mut checks = Vec::new();
    for folder in args.paths.iter().map(|path| path.join(checks::FOLDER)).filter(|folder| folder.is_dir()) {
        checks.extend(checks::read(&folder, all.as_deref())?);
    }
    let files: Vec<_> = sources.iter().map(Source::faults).chain(checks.iter().map(checks::Source::faults)).collect();
    tell(&files, args.json)?;
    let told = match checks.len() {
        0 => plural(sources.len(), "playbook"),
        count => format!("{}, {}", plural(sources.len(), "playbook"), plural(count, "check")),
    };
    let tally = Tally::of(&files);
    out::note(format_args!("{told}: {}", tally.told()));
    // A playbook that reads well has to compile too; this finds what reading should have.
    let compiles = Library::new(playbooks::playbooks(sources)).map_err(|error| out::error(&error.into())).is_ok();
    Ok(Verdict::of(tally.errors == 0 && compiles))
}

/// Every fault, as a person or a program reads it.
pub(crate) fn tell(files: &[Faults<'_>], as_json: bool) -> std::io::Result<()> {
    for faults in files {
        if as_json {
            for diagnostic in faults.diagnostics {
                out::json(&diagnostics::to_json(*faults, diagnostic))?;
            }
        } else {
            for rendered in diagnostics::render(*faults, Severity::Warning) {
                out::line(rendered)?;
            }
        }
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Tally {
    pub errors: usize,
    warnings: usize,
}

impl Tally {
    pub(crate) fn of(files: &[Faults<'_>]) -> Self {
        let count = |severity| files.iter().map(|faults| faults.count(severity)).sum();
        Self { errors: count(Severity::Error), warnings: count(Severity::Warning) }
    }

    pub(crate) fn told(self) -> String {
        match (self.errors, self.warnings) {
            (0, 0) => "no fault".green().to_string(),
            (0, warnings) => plural(warnings, "warning").yellow().to_string(),
            (errors, 0) => plural(errors, "error").red().to_string(),
            (errors, warnings) => {
                format!("{}, {}", plural(errors, "error").red(), plural(warnings, "warning").yellow())
            }
        }
    }
}
