//! `heal check`: the scheduled checks as files.

pub(crate) mod compile;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod run;
pub(crate) mod schema;

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::check::Check;
use heal_engine::playbook::Playbook;
use heal_runtime::library::Library;

use crate::args::{CheckDir, PlaybookDir};
use crate::exit::Verdict;
use crate::{actions, checks, playbooks};

/// Checks and shows scheduled checks, and looks by hand
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Lint(lint::Args),
    List(list::Args),
    Run(run::Args),
    Schema(schema::Args),
    Compile(compile::Args),
}

/// The checks, and the playbooks that their incidents lead to.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Folders {
    #[command(flatten)]
    pub checks: CheckDir,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Verdict> {
    match command {
        Command::Lint(args) => lint::run(&args),
        Command::List(args) => list::run(&args),
        Command::Run(args) => Box::pin(run::run(&args)).await,
        Command::Schema(args) => schema::run(&args),
        Command::Compile(args) => compile::run(&args),
    }
}

impl Folders {
    /// The folder of the checks.
    ///
    /// # Errors
    /// There is none.
    fn of_checks(&self) -> anyhow::Result<PathBuf> {
        let playbooks = &self.playbooks.playbooks;
        match checks::folder(self.checks.checks.as_deref(), playbooks)? {
            Some(folder) => Ok(folder),
            None => bail!("{}: there is no folder `checks` in it, name one with --checks DIR", playbooks.display()),
        }
    }

    /// The playbooks, all of them without an error.
    ///
    /// # Errors
    /// The folder cannot be read, or a playbook in it has an error; each is told.
    fn playbooks(&self) -> anyhow::Result<Vec<Playbook>> {
        let library = playbooks::library(&self.playbooks.playbooks, &actions::catalog())?;
        Ok(of(&library))
    }

    /// The checks, all of them without an error.
    ///
    /// # Errors
    /// A folder cannot be read, or a playbook or a check in it has an error; each is told.
    fn load(&self) -> anyhow::Result<Vec<Check>> {
        checks::load(&self.of_checks()?, &self.playbooks()?)
    }
}

/// The playbooks of a library as they were read.
pub(crate) fn of(library: &Library) -> Vec<Playbook> {
    library.entries().map(|entry| entry.plan.playbook.clone()).collect()
}
