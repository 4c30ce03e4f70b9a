//! `heal state`: the state file itself, whatever is in it.

mod backup;
mod check;
mod restore;

use crate::exit::Exit;

/// Checks, copies and restores the state file
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    Check(check::Args),
    Backup(backup::Args),
    Restore(restore::Args),
}

pub(crate) fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
    }
}

/// A number of bytes, for a person.
fn size(bytes: u64) -> String {
    const MEGABYTE: u64 = 1_000_000;
    if bytes < MEGABYTE { format!("{} KB", bytes.div_ceil(1_000)) } else { format!("{} MB", bytes.div_ceil(MEGABYTE)) }
}
