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
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use heal_api::moment;

/// The C library's allocator makes threads wait for one another; the difference is in docs/benchmarks.md.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Time for threads that block, at the end of the process. Nobody can interrupt the resolution of a name, which takes a slow name server's time,
/// and nothing that is to be kept waits for it.
const EXIT_GRACE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let cli = commands::Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::code(Err(error).context("failed to start the threads of this process")),
    };
    let code = exit::code(runtime.block_on(commands::dispatch(cli)));
    runtime.shutdown_timeout(EXIT_GRACE);
    code
}
