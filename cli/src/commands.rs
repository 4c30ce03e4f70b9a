//! The command line: one module a command, each with its options and the code that executes it.

mod access;
mod approvals;
mod audit;
mod autonomy;
mod check;
mod dlq;
mod doctor;
mod escalations;
mod followups;
mod guardrails;
mod halt;
mod halts;
mod hook;
mod incident;
mod notify;
mod playbook;
mod resume;
mod run;
mod runs;
mod sandbox;
mod serve;
mod shadow;
mod state;
mod switch;
mod token;

use anyhow::Context as _;
use clap::{Parser, Subcommand, ValueEnum};
use heal_telemetry::Telemetry;
use heal_telemetry::logs::{self, Format};
use heal_wiring::environment::ENV_LOG_FORMAT;

use crate::exit::Exit;

const EXAMPLES: &str = "\
Examples:
  heal run tests/events/ticket_timeout.json --sandbox     heal an incident against stand-in services
  heal run incident.json --dry-run                        read and decide as a run does, and change nothing
  heal playbook lint                                      every fault of every playbook
  heal guardrails show                                    the bounds that hold
  heal hook test alerts.json                              what an alert of another system would raise
  heal serve --state heal.db --listen 127.0.0.1:8080      the remediation API, durable
  heal incident send incident.json --stack prod --watch   heal it on a deployed stack
  heal runs list --stack prod --status failed             the failed runs of a deployed stack
  heal approvals list --stack prod                        what waits for the approval of a person
  heal followups list --stack prod                        what runs have left for a person
  heal audit verify --state heal.db                       whether a log was changed after it was written
  heal halt --all --for 1h --reason deployment            stop every change by the engine for an hour
  heal escalations ack RUN --note TEXT                    let the engine act on the target again
  heal shadow report --since 7d                           what playbooks at the level `shadow` would have done
  heal doctor                                             check the configuration and every service

Exit codes: 0 done · 1 the run or the lint failed · 2 bad usage or bad input · 3 something is left for a person: the run is done
(DEGRADED), or did nothing because the same remedy was needed too often (ESCALATED).
`heal doctor` lists the environment variables.";

/// Filter of a command's log lines if `RUST_LOG` is unset. `heal serve` logs more: a command reports to the terminal itself.
const COMMAND_LOGS: &str = "error";
/// The service's name in metrics and traces.
const SERVICE: &str = "heal";

/// Turns incidents into safe, recorded, idempotent remedies.
#[derive(Debug, Parser)]
#[command(name = "heal", version, after_help = EXAMPLES, max_term_width = 110)]
pub(crate) struct Cli {
    /// Format of the log lines on standard error; `RUST_LOG` filters them
    #[arg(long, global = true, value_enum, default_value_t, env = ENV_LOG_FORMAT, value_name = "FORMAT")]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Serve(serve::Args),
    Sandbox(sandbox::Args),
    #[command(subcommand)]
    Playbook(playbook::Command),
    #[command(subcommand)]
    Check(check::Command),
    #[command(subcommand)]
    Guardrails(guardrails::Command),
    #[command(subcommand)]
    Hook(hook::Command),
    #[command(subcommand)]
    Notify(notify::Command),
    #[command(subcommand)]
    Runs(runs::Command),
    #[command(subcommand)]
    Approvals(approvals::Command),
    #[command(subcommand)]
    Followups(followups::Command),
    Halt(halt::Args),
    Resume(resume::Args),
    Halts(halts::Args),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Escalations(escalations::Command),
    #[command(subcommand)]
    Autonomy(autonomy::Command),
    #[command(subcommand)]
    Shadow(shadow::Command),
    #[command(subcommand)]
    Incident(incident::Command),
    #[command(subcommand)]
    Dlq(dlq::Command),
    #[command(subcommand)]
    State(state::Command),
    #[command(subcommand)]
    Token(token::Command),
    #[command(subcommand)]
    Access(access::Command),
    Doctor(doctor::Args),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum LogFormat {
    #[default]
    Human,
    Json,
}

pub(crate) async fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let telemetry = init_telemetry(cli.log_format, &cli.command)?;
    match cli.command {
        Command::Run(args) => run::run(args).await,
        Command::Serve(args) => serve::run(args, telemetry).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Playbook(command) => playbook::run(command),
        Command::Check(command) => check::run(command).await,
        Command::Guardrails(command) => guardrails::run(command),
        Command::Hook(command) => hook::run(command),
        Command::Notify(command) => notify::run(command).await,
        Command::Runs(command) => Box::pin(runs::run(command)).await,
        Command::Approvals(command) => Box::pin(approvals::run(command)).await,
        Command::Followups(command) => Box::pin(followups::run(command)).await,
        Command::Audit(command) => Box::pin(audit::run(command)).await,
        Command::Halt(args) => Box::pin(halt::run(args)).await,
        Command::Resume(args) => Box::pin(resume::run(args)).await,
        Command::Halts(args) => Box::pin(halts::run(args)).await,
        Command::Escalations(command) => Box::pin(escalations::run(command)).await,
        Command::Autonomy(command) => Box::pin(autonomy::run(command)).await,
        Command::Shadow(command) => Box::pin(shadow::run(command)).await,
        Command::Incident(command) => Box::pin(incident::run(command)).await,
        Command::Dlq(command) => Box::pin(dlq::run(command)).await,
        Command::State(command) => state::run(command),
        Command::Token(command) => token::run(command),
        Command::Access(command) => access::run(command),
        Command::Doctor(args) => Box::pin(doctor::run(args)).await,
    }
}

/// `heal serve` exports logs, metrics and traces as its variables say; any other command only logs.
#[expect(clippy::disallowed_methods, reason = "telemetry reads its own variables once, at the start")]
fn init_telemetry(format: LogFormat, command: &Command) -> anyhow::Result<Telemetry> {
    let format = match format {
        LogFormat::Human => Format::Human,
        LogFormat::Json => Format::Json,
    };
    match command {
        Command::Serve(_) => Telemetry::serve(SERVICE, format, &|name| std::env::var(name).ok())
            .context("failed to set up logs, metrics and traces"),
        Command::Run(_)
        | Command::Sandbox(_)
        | Command::Playbook(_)
        | Command::Check(_)
        | Command::Guardrails(_)
        | Command::Hook(_)
        | Command::Notify(_)
        | Command::Runs(_)
        | Command::Approvals(_)
        | Command::Followups(_)
        | Command::Audit(_)
        | Command::Halt(_)
        | Command::Resume(_)
        | Command::Halts(_)
        | Command::Escalations(_)
        | Command::Autonomy(_)
        | Command::Shadow(_)
        | Command::Incident(_)
        | Command::Dlq(_)
        | Command::State(_)
        | Command::Token(_)
        | Command::Access(_)
        | Command::Doctor(_) => {
            logs::init(format, COMMAND_LOGS).context("failed to set up the log")?;
            Ok(Telemetry::silent())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use heal_wiring::environment;

    /// Holds the options' variables and defaults to the table of all variables.
    fn check(command: &clap::Command) {
        for arg in command.get_arguments() {
            let Some(name) = arg.get_env() else { continue };
            let variable = environment::all().find(|variable| name == variable.name);
            let variable = variable.unwrap_or_else(|| panic!("{name:?} is not in heal_wiring::environment"));
            assert!(variable.readers.include_heal(), "{name:?}");
            if let [default] = arg.get_default_values() {
                assert_eq!(default.to_str(), variable.default, "{name:?}");
            }
        }
        command.get_subcommands().for_each(check);
    }

    #[test]
    fn every_variable_of_an_option_is_in_the_table_with_its_default() {
        check(&super::Cli::command());
    }
}
