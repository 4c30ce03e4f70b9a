//! `heal`: the self-healing engine on one machine, and the command line of a deployed stack.
//!
//! One folder a noun, one file a verb: [`commands`]. Data goes to standard output, everything else to standard error. Exit codes are
//! those of [`exit`]. Modules import downwards only: commands, then what they share, then [`out`] and `file`.

mod access;
mod actions;
mod args;
mod backend;
mod checks;
mod commands;
mod environment;
mod exit;
mod file;
mod follow;
mod guardrails;
mod hooks;
mod identity;
mod local;
mod notify;
mod out;
mod playbooks;
mod queue;
mod sandbox;
mod show;
mod signal;
mod source;
mod state;
mod timeline;

use std::process::ExitCode;

use clap::Parser as _;
use heal_api::moment;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    exit::code(commands::dispatch(cli).await)
}
