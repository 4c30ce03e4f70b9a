//! `heal notify`: who is told of what.

mod compile;
mod lint;
mod schema;
mod show;
mod test;

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::notice::Rules;
use heal_engine::playbook::Playbook;
use heal_wiring::environment::{ENV_NOTIFY, ENV_PLAYBOOKS};

use crate::exit::Exit;
use crate::notify::{self, FILE};
use crate::playbooks::diagnostics;
use crate::source::Source;
use crate::{actions, playbooks};

/// Validates, shows and tries the notifications: who is told of what
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    Show(show::Args),
    Schema(schema::Args),
    Compile(compile::Args),
    Test(test::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::Show(args) => show::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Compile(args) => compile::run(&args),
        Command::Test(args) => test::run(&args).await,
    }
}

/// The file, and the playbooks that it may name.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Files {
    /// File of the notifications; by default `notify.yaml` in the folder of the playbooks
    #[arg(value_name = "FILE", env = ENV_NOTIFY)]
    pub file: Option<PathBuf>,
    /// Folders or files of the playbooks that the routes may name
    #[arg(long, env = ENV_PLAYBOOKS, default_value = "playbooks", value_name = "PATH")]
    pub playbooks: Vec<PathBuf>,
}

impl Files {
    /// The file, read against the playbooks.
    ///
    /// # Errors
    /// The file does not exist, or it or the playbooks cannot be read. Faults inside the file are in its reading.
    fn read(&self) -> anyhow::Result<Source<Rules>> {
        let folder = self.playbooks.first().cloned().unwrap_or_default();
        let Some(file) = notify::file(self.file.as_deref(), &folder)? else {
            bail!("{}: the file does not exist, so nobody is told of anything", folder.join(FILE).display());
        };
        notify::read(&file, self.known_playbooks()?.as_deref())
    }

    /// The rules of the file.
    ///
    /// # Errors
    /// As [`Files::read`]; or the file has an error. Prints every error to standard error.
    fn rules(&self) -> anyhow::Result<(PathBuf, Rules)> {
        let source = self.read()?;
        diagnostics::print_errors([source.faults()].into_iter());
        match source.value {
            Some(rules) => Ok((source.path, rules)),
            None => bail!("{} cannot be used", source.path.display()),
        }
    }

    /// `None` while a playbook has an error, which `heal playbook lint` reports.
    fn known_playbooks(&self) -> anyhow::Result<Option<Vec<Playbook>>> {
        let sources = playbooks::read(&self.playbooks, &actions::catalog())?;
        Ok(sources.into_iter().map(|source| source.value).collect())
    }
}
