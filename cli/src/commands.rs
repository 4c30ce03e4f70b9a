//! One module a command. Each has its arguments and what it does with them, and says how it went by its exit code.

pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod incident;
pub(crate) mod playbook;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod serve;

use anyhow::Context as _;
use telemetry::logs::{self, Format};

use crate::args::{Cli, Command, LogFormat};
use crate::exit::Verdict;

/// What is logged where `RUST_LOG` says nothing: a service tells what it does, a command at the terminal has its own words for that.
const SERVICE_LOGS: &str = "info";
const COMMAND_LOGS: &str = "error";

pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<Verdict> {
    init_logs(cli.log_format, &cli.command)?;
    match cli.command {
        Command::Run(args) => run::run(args).await,
        Command::Serve(args) => serve::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Playbook(command) => playbook::run(command),
        Command::Runs(command) => Box::pin(runs::run(command)).await,
        Command::Incident(command) => Box::pin(incident::run(command)).await,
        Command::Dlq(command) => Box::pin(dlq::run(command)).await,
        Command::Doctor(args) => Box::pin(doctor::run(args)).await,
    }
}

fn init_logs(format: LogFormat, command: &Command) -> anyhow::Result<()> {
    let format = match format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    let default = match command {
        Command::Serve(_) => SERVICE_LOGS,
        Command::Run(_)
        | Command::Sandbox(_)
        | Command::Playbook(_)
        | Command::Runs(_)
        | Command::Incident(_)
        | Command::Dlq(_)
        | Command::Doctor(_) => COMMAND_LOGS,
    };
    logs::init(format, default).context("logs")
}
