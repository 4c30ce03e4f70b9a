//! The command line, and the options that several commands share.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::commands::{check, dlq, doctor, incident, playbook, run, runs, sandbox, serve};

const EXAMPLES: &str = "\
Examples:
  heal run tests/events/ticket_timeout.json --sandbox     heal an incident against stand-in services
  heal run incident.json --dry-run                        what would be done, without doing it
  heal playbook lint                                      every fault of every playbook
  heal serve --state heal.db --listen 127.0.0.1:8080      the remediation API, durable
  heal incident send incident.json --stack prod --watch   heal it on a deployed stack
  heal runs list --stack prod --status failed             what a deployed stack did
  heal doctor                                             is everything configured and reachable?

Exit codes: 0 done · 1 the run or the lint failed · 2 bad usage or bad input.
Variables: NO_COLOR, RUST_LOG, and those that `heal doctor` lists.";

/// Turns incidents into safe, recorded, idempotent remedies.
#[derive(Debug, Parser)]
#[command(name = "heal", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    /// What log lines on standard error look like; `RUST_LOG` says which ones there are
    #[arg(long, global = true, value_enum, default_value_t, env = "HEAL_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    Serve(serve::Args),
    Sandbox(sandbox::Args),
    #[command(subcommand)]
    Playbook(playbook::Command),
    #[command(subcommand)]
    Check(check::Command),
    #[command(subcommand)]
    Runs(runs::Command),
    #[command(subcommand)]
    Incident(incident::Command),
    #[command(subcommand)]
    Dlq(dlq::Command),
    Doctor(doctor::Args),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    #[default]
    Human,
    Json,
}

/// Where the playbooks are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaybookDir {
    /// Folder of the playbooks, one `NAME.yaml` each
    #[arg(long, env = "HEAL_PLAYBOOKS", default_value = "playbooks", value_name = "DIR")]
    pub playbooks: PathBuf,
}

/// Where the scheduled checks are.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CheckDir {
    /// Folder of the scheduled checks, one `NAME.yaml` each; without it `checks` in the folder of the playbooks, if there is one
    #[arg(long, env = "HEAL_CHECKS", value_name = "DIR")]
    pub checks: Option<PathBuf>,
}

/// Where runs are kept.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StateFile {
    /// SQLite file that keeps runs, queues and cooldowns
    #[arg(long, env = "HEAL_STATE", default_value = ".heal/state.db", value_name = "FILE.db")]
    pub state: PathBuf,
}
