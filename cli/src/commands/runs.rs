//! `heal runs`: the runs of a state file or a stack. Works beside a `heal serve` on the same file.

pub(super) mod change;
mod explain;
mod hold;
mod list;
mod show;
mod watch;

use crate::exit::Exit;

/// Lists, shows, follows, cancels, approves and holds runs of a state file or a deployed stack
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    List(list::Args),
    Show(show::Args),
    Explain(explain::Args),
    Watch(watch::Args),
    /// Cancels a run: nothing new starts, what is in flight is waited for
    Cancel(change::Args),
    /// Agrees to a run that awaits approval
    Approve(change::Args),
    /// Holds a run until somebody releases it: nothing new starts, what has been sent may still happen, its time stands still
    Hold(hold::Args),
    /// Lets a run go on that somebody holds; one that a halt holds goes on with `heal resume`
    Release(hold::Args),
}

pub(crate) async fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::List(args) => list::run(args).await,
        Command::Show(args) => show::run(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Watch(args) => watch::run(args).await,
        Command::Cancel(args) => change::cancel(args).await,
        Command::Approve(args) => change::approve(args).await,
        Command::Hold(args) => hold::hold(args).await,
        Command::Release(args) => hold::release(args).await,
    }
}
