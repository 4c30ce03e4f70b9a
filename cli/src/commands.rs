//! One module a command. Each has its arguments and what it does with them, and says how it went by its exit code.

pub(crate) mod check;
pub(crate) mod dlq;
pub(crate) mod doctor;
pub(crate) mod incident;
pub(crate) mod playbook;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sandbox;
pub(crate) mod serve;

use anyhow::Context as _;
use heal_telemetry::Telemetry;
use heal_telemetry::logs::{self, Format};

use crate::args::{Cli, Command, LogFormat};
use crate::exit::Verdict;

/// What a command logs where `RUST_LOG` says nothing: at the terminal it has its own words for what it does. A service logs more.
const COMMAND_LOGS: &str = "error";
/// The service's name in metrics and traces.
const SERVICE: &str = "heal";

pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<Verdict> {
    let telemetry = init_telemetry(cli.log_format, &cli.command)?;
    match cli.command {
        Command::Run(args) => run::run(args).await,
        Command::Serve(args) => serve::run(args, telemetry).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Playbook(command) => playbook::run(command),
        Command::Check(command) => check::run(command).await,
        Command::Runs(command) => Box::pin(runs::run(command)).await,
        Command::Incident(command) => Box::pin(incident::run(command)).await,
        Command::Dlq(command) => Box::pin(dlq::run(command)).await,
        Command::Doctor(args) => Box::pin(doctor::run(args)).await,
    }
}

/// A service's telemetry goes where its variables say; any other command only logs.
#[expect(clippy::disallowed_methods, reason = "telemetry reads its own variables once, at the start")]
fn init_telemetry(format: LogFormat, command: &Command) -> anyhow::Result<Telemetry> {
    let format = match format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    match command {
        Command::Serve(_) => {
            Telemetry::serve(SERVICE, format, &|name| std::env::var(name).ok()).context("logs, metrics and traces")
        }
        Command::Run(_)
        | Command::Sandbox(_)
        | Command::Playbook(_)
        | Command::Check(_)
        | Command::Runs(_)
        | Command::Incident(_)
        | Command::Dlq(_)
        | Command::Doctor(_) => {
            logs::init(format, COMMAND_LOGS).context("logs")?;
            Ok(Telemetry::silent())
        }
    }
}
