//! The folders that the subcommands of `heal check` read.

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::check::Check;
use heal_engine::playbook::Playbook;

use crate::args::{CheckDir, PlaybookDir};
use crate::{actions, checks, playbooks};

/// The checks, and the playbooks that their incidents start.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Folders {
    #[command(flatten)]
    pub checks: CheckDir,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
}

impl Folders {
    /// The folder of the checks.
    ///
    /// # Errors
    /// It does not exist.
    pub(super) fn check_folder(&self) -> anyhow::Result<PathBuf> {
        let playbooks = &self.playbooks.playbooks;
        match checks::folder(self.checks.checks.as_deref(), playbooks)? {
            Some(folder) => Ok(folder),
            None => bail!("{}: there is no folder `checks` in it, name one with --checks DIR", playbooks.display()),
        }
    }

    /// The playbooks, all of them without errors.
    ///
    /// # Errors
    /// The folder cannot be read, or a playbook in it has an error; each error is printed.
    pub(super) fn playbooks(&self) -> anyhow::Result<Vec<Playbook>> {
        let library = playbooks::library(&self.playbooks.playbooks, &actions::catalog())?;
        Ok(playbooks::playbooks_from(&library))
    }

    /// The checks, all of them without errors.
    ///
    /// # Errors
    /// A folder cannot be read, or a playbook or a check in it has an error; each error is printed.
    pub(super) fn load(&self) -> anyhow::Result<Vec<Check>> {
        checks::load(&self.check_folder()?, &self.playbooks()?)
    }
}
