//! Options that several commands share.

use std::path::PathBuf;

use heal_wiring::environment::{
    DEFAULT_STATE, ENV_CHECKS, ENV_GUARDRAILS, ENV_HOOKS, ENV_NOTIFY, ENV_PLAYBOOKS, ENV_STATE,
};

/// Folder of the playbooks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaybookDir {
    /// Folder of the playbooks, one `NAME.yaml` each
    #[arg(long, env = ENV_PLAYBOOKS, default_value = "playbooks", value_name = "DIR")]
    pub playbooks: PathBuf,
}

/// Folder of the scheduled checks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CheckDir {
    /// Folder of the scheduled checks, one `NAME.yaml` each; by default `checks` in the folder of the playbooks, if it exists
    #[arg(long, env = ENV_CHECKS, value_name = "DIR")]
    pub checks: Option<PathBuf>,
}

/// File of the guardrails.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct GuardrailsFile {
    /// File of the guardrails; by default `guardrails.yaml` in the folder of the playbooks, or the defaults without one
    #[arg(long, env = ENV_GUARDRAILS, value_name = "FILE")]
    pub guardrails: Option<PathBuf>,
}

/// File of the notifications.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct NotifyFile {
    /// File of the notifications; by default `notify.yaml` in the folder of the playbooks, and nobody is told without one
    #[arg(long, env = ENV_NOTIFY, value_name = "FILE")]
    pub notify: Option<PathBuf>,
}

/// State file.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StateFile {
    /// SQLite file that keeps runs, queues and cooldowns
    #[arg(long, env = ENV_STATE, default_value = DEFAULT_STATE, value_name = "FILE.db")]
    pub state: PathBuf,
}

/// The file of the hooks.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct HooksFile {
    /// File of the hooks, which turn alerts into incidents; by default `hooks.yaml` in the folder of the playbooks, or none without it
    #[arg(long, value_name = "FILE", env = ENV_HOOKS)]
    pub hooks: Option<PathBuf>,
}

impl StateFile {
    /// Whether nobody named a file.
    pub(crate) fn is_default(&self) -> bool {
        self.state == std::path::Path::new(DEFAULT_STATE)
    }
}
