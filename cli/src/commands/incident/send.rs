//! `heal incident send`: sends one message to a stack's incidents queue, and follows its run.

mod search;
mod watch;

use std::path::PathBuf;

use anyhow::Context as _;
use heal_engine::incident::{self, Intake, IntakeError};
use heal_engine::limit;
use heal_engine::secret::Secrets;
use heal_runtime::port::Message;
use search::{Search, Sent, Snapshot};

use crate::backend::{Backend, StackArgs};
use crate::exit::Exit;
use crate::{file, out};

const EXAMPLES: &str = "\
Examples:
  heal incident send tests/events/ticket_timeout.json --stack prod
  heal incident send incident.json --stack prod --watch           and follow its run
  jq .incident alert.json | heal incident send - --watch --json | tail -1 | jq .outcome";

/// Sends an incident to a deployed stack
///
/// Takes every shape that the queue takes: an incident, a remediation request, an EventBridge or SNS envelope, a CloudWatch alarm.
/// Exits with 0 once the message is on the queue. With --watch, exits with 0 if the run is done, with 3 if it is DEGRADED (something is left
/// for a person), and with 1 if it ended otherwise or no run appears.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// JSON file of the incident; `-` is standard input
    #[arg(value_name = "INCIDENT.json")]
    pub incident: PathBuf,
    #[command(flatten)]
    pub stack: StackArgs,
    /// Send the message also if it is not an incident
    #[arg(long)]
    pub raw: bool,
    /// Find the run, and follow it to its end
    #[arg(long)]
    pub watch: bool,
    /// With --watch: how long to search for the run
    #[arg(long, default_value_t = 60, value_name = "SECONDS", requires = "watch", value_parser = clap::value_parser!(u64).range(1..=900))]
    pub within: u64,
    /// JSON; with --watch one event a line after it, the report as the last line
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let body = file::read_text(&args.incident, limit::MESSAGE_BYTES as u64)?;
    // A fault of the incident shows here, before anything is sent.
    let intake = read_intake(&args, &body)?;
    let incident_id = incident::peek_incident_id(&body);
    let stack = args.stack.open().await?;
    let queues = stack.queues.clone();
    let backend = Backend::Stack(stack);
    let before = if args.watch { Some(Snapshot::take(&*backend.runs()).await?) } else { None };
    let message = Message::incident(&Secrets::default(), None, &body, None);
    let sent = Sent { message_id: queues.send_one(&message).await?, incident_id, intake };
    if args.json {
        out::json(&sent)?;
    } else {
        let incident = sent.incident_id.as_deref().map_or_else(|| "a message".to_owned(), out::text);
        out::line(format_args!("{incident} sent to {backend}: message {}", sent.message_id))?;
    }
    match before {
        Some(before) => {
            let search = Search::new(backend.runs(), sent, before);
            watch::watch(&backend, &queues, search, args.within, args.json).await
        }
        None => Ok(Exit::Success),
    }
}

fn read_intake(args: &Args, body: &str) -> anyhow::Result<Option<Intake>> {
    match incident::read(body) {
        Ok(intake) => Ok(Some(intake)),
        Err(_) if args.raw => Ok(None),
        // It withdraws the runs of its alert, and has none of its own to watch.
        Err(IntakeError::NotAnIncident { resolution: Some(_), .. }) if !args.watch => Ok(None),
        Err(error) => {
            Err(error).with_context(|| format!("failed to read the incident in {}", file::name(&args.incident)))
        }
    }
}
