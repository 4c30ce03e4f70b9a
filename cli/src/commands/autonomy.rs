//! `heal autonomy`: how far the engine may go alone with each playbook.

mod list;
mod set;

use heal_guard::AutonomyLevel;

use crate::exit::Exit;

/// Lists and sets how far the engine may go alone with each playbook
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Set(set::Args),
}

/// The levels, the strictest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Record the incident and do nothing
    Off,
    /// Read and decide, change nothing, and say what would have been done
    Shadow,
    /// Ask a person first
    Approve,
    /// Act alone
    Auto,
}

impl From<Level> for AutonomyLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Off => Self::Off,
            Level::Shadow => Self::Shadow,
            Level::Approve => Self::Approve,
            Level::Auto => Self::Auto,
        }
    }
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Set(args) => set::run(args).await,
    }
}
