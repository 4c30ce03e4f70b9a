//! `heal hook`: alerts of other systems as incidents.

mod compile;
mod lint;
mod test;

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::playbook::Playbook;
use heal_hooks::HooksFile;
use heal_wiring::environment::{ENV_HOOKS, ENV_PLAYBOOKS};

use crate::exit::Exit;
use crate::hooks::{self, FILE};
use crate::source::Source;
use crate::{actions, out, playbooks};

const SCHEMA_EXAMPLES: &str = "\
Examples:
  heal hook schema > playbooks/hooks.schema.json
  # and as the first line of the file, for editors with a YAML language server:
  # yaml-language-server: $schema=hooks.schema.json";

/// Validates and tries the hooks, which turn alerts of other systems into incidents
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    Test(test::Args),
    /// Prints the JSON Schema of the file, with which editors complete and validate it
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema,
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Schema => {
            out::line(serde_json::to_string_pretty(&heal_language::hooks::schema())?)?;
            Ok(Exit::Success)
        }
        Command::Compile(args) => compile::run(&args),
    }
}

/// The file, and the playbooks that its incidents start.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Files {
    /// File of the hooks; by default `hooks.yaml` in the folder of the playbooks
    #[arg(long, value_name = "FILE", env = ENV_HOOKS)]
    pub hooks: Option<PathBuf>,
    /// Folders or files of the playbooks that the incidents start
    #[arg(long, env = ENV_PLAYBOOKS, default_value = "playbooks", value_name = "PATH")]
    pub playbooks: Vec<PathBuf>,
}

impl Files {
    /// The file, read against the playbooks.
    ///
    /// # Errors
    /// The file does not exist, or it or the playbooks cannot be read. Faults inside the file are in its reading.
    fn read(&self) -> anyhow::Result<Source<HooksFile>> {
        let folder = self.playbooks.first().cloned().unwrap_or_default();
        match hooks::file(self.hooks.as_deref(), &folder)? {
            Some(file) => hooks::read(&file, self.known_playbooks()?.as_deref()),
            None => bail!(
                "{}: the file does not exist; without it no alert becomes an incident",
                folder.join(FILE).display()
            ),
        }
    }

    /// `None` while a playbook has an error, which `heal playbook lint` reports.
    fn known_playbooks(&self) -> anyhow::Result<Option<Vec<Playbook>>> {
        let sources = playbooks::read(&self.playbooks, &actions::catalog())?;
        Ok(sources.into_iter().map(|source| source.value).collect())
    }
}
