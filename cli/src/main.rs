//! `heal`: the self-healing engine on one machine.
//!
//! This file parses the command line and hands over. One folder a noun, one file a verb: [`commands`].
//! Data goes to standard output, everything else to standard error. Exit codes are those of [`exit`].

mod actions;
mod api;
mod args;
mod checks;
mod commands;
mod environment;
mod exit;
mod file;
mod follow;
mod local;
mod moment;
mod out;
mod playbooks;
mod show;
mod signal;
mod state;
mod table;
mod timeline;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = args::Cli::parse();
    exit::code(commands::dispatch(cli).await)
}
