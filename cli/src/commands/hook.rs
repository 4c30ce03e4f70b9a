//! `heal hook`: alerts of other systems as incidents.

mod compile;
mod lint;
mod schema;
mod test;

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::playbook::Playbook;
use heal_wiring::environment::{ENV_HOOKS, ENV_PLAYBOOKS};

use crate::exit::Exit;
use crate::hooks::{self, FILE, Source};
use crate::{actions, playbooks};

/// Validates and tries the hooks, which turn alerts of other systems into incidents
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    Test(test::Args),
    Schema(schema::Args),
    Compile(compile::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Schema(args) => schema::run(&args),
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
    fn read(&self) -> anyhow::Result<Source> {
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
        Ok(sources.into_iter().map(|source| source.reading.playbook).collect())
    }
}
