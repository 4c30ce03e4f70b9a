//! `heal guardrails`: the bounds of what the engine does by itself.

mod compile;
mod lint;
mod show;

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::playbook::Playbook;
use heal_guard::Guardrails;
use heal_wiring::environment::{ENV_GUARDRAILS, ENV_PLAYBOOKS};

use crate::exit::Exit;
use crate::guardrails::{self, FILE};
use crate::source::Source;
use crate::{actions, out, playbooks};

const SCHEMA_EXAMPLES: &str = "\
Examples:
  heal guardrails schema > playbooks/guardrails.schema.json
  # and as the first line of the file, for editors with a YAML language server:
  # yaml-language-server: $schema=guardrails.schema.json";

/// Validates and shows the guardrails, the bounds of what is done without a person
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    Show(show::Args),
    /// Prints the JSON Schema of the file, with which editors complete and validate it
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Schema => {
            out::line(serde_json::to_string_pretty(&heal_language::guardrails::schema(&actions::catalog()))?)?;
            Ok(Exit::Success)
        }
        Command::Compile(args) => compile::run(&args),
    }
}

/// The file, and the playbooks that it may name.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Files {
    /// File of the guardrails; by default `guardrails.yaml` in the folder of the playbooks
    #[arg(value_name = "FILE", env = ENV_GUARDRAILS)]
    pub file: Option<PathBuf>,
    /// Folders or files of the playbooks that the guardrails may name
    #[arg(long, env = ENV_PLAYBOOKS, default_value = "playbooks", value_name = "PATH")]
    pub playbooks: Vec<PathBuf>,
}

impl Files {
    /// The file.
    ///
    /// # Errors
    /// It does not exist.
    fn file(&self) -> anyhow::Result<PathBuf> {
        let folder = self.playbooks.first().cloned().unwrap_or_default();
        match guardrails::file(self.file.as_deref(), &folder)? {
            Some(file) => Ok(file),
            None => bail!(
                "{}: the file does not exist; an empty one means the defaults, `heal guardrails show` prints them",
                folder.join(FILE).display()
            ),
        }
    }

    /// The file, read against the playbooks.
    ///
    /// # Errors
    /// The file or the playbooks cannot be read. Faults inside the file are in its diagnostics.
    fn read(&self) -> anyhow::Result<Source<Guardrails>> {
        guardrails::read(&self.file()?, self.known_playbooks()?.as_deref())
    }

    /// `None` while a playbook has an error, which `heal playbook lint` reports.
    fn known_playbooks(&self) -> anyhow::Result<Option<Vec<Playbook>>> {
        let sources = playbooks::read(&self.playbooks, &actions::catalog())?;
        Ok(sources.into_iter().map(|source| source.value).collect())
    }
}
