//! `heal incident send`: one message to a stack's incidents queue, and what becomes of it.

mod search;
mod watch;

use std::path::PathBuf;

use anyhow::Context as _;
use heal_engine::incident::{self, Intake};
use heal_engine::limit;
use heal_runtime::port::{Message, QueueName};
use search::Search;
use serde::Serialize;

use crate::exit::Verdict;
use crate::place::{Place, StackArgs};
use crate::{file, out};

const EXAMPLES: &str = "\
Examples:
  heal incident send tests/events/ticket_timeout.json --stack prod
  heal incident send incident.json --stack prod --watch           and follow its run
  jq .incident alert.json | heal incident send - --watch --json | tail -1 | jq .outcome";

/// Sends an incident to a deployed stack
///
/// Takes every shape that the queue takes: an incident, a remediation request, an EventBridge or SNS envelope, a CloudWatch alarm.
/// Exits with 0 once it is on the queue; with --watch, where its run's status is COMPLETED, and with 1 where it is another or no run shows.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// JSON file of the incident; `-` is standard input
    #[arg(value_name = "INCIDENT.json")]
    pub incident: PathBuf,
    #[command(flatten)]
    pub stack: StackArgs,
    /// Send it as it is, also where the engine cannot understand it
    #[arg(long)]
    pub raw: bool,
    /// Find its run, and follow it to its end
    #[arg(long)]
    pub watch: bool,
    /// With --watch: how long to look for the run
    #[arg(long, default_value_t = 60, value_name = "SECONDS", requires = "watch", value_parser = clap::value_parser!(u64).range(1..=900))]
    pub within: u64,
    /// JSON; with --watch one event a line after it, the report as the last line
    #[arg(long)]
    pub json: bool,
}

/// What was sent.
#[derive(Debug, Serialize)]
struct Sent {
    message_id: String,
    /// As far as it can be told, of a message that is sent with --raw.
    incident_id: Option<String>,
    #[serde(skip)]
    intake: Option<Intake>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let body = file::read_text(&args.incident, limit::MESSAGE_BYTES as u64)?;
    // Whatever is wrong with it is wrong here: nothing has been sent.
    let intake = understand(&args, &body)?;
    let incident_id = incident::peek_incident_id(&body);
    let stack = args.stack.open().await?;
    let queues = stack.queues.clone();
    let place = Place::Stack(stack);
    let before = if args.watch { Some(search::Before::look(&*place.runs()).await?) } else { None };
    let message = Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None };
    let sent = Sent { message_id: queues.send_one(&message).await?, incident_id, intake };
    if args.json {
        out::json(&sent)?;
    } else {
        let incident = sent.incident_id.as_deref().map_or_else(|| "a message".to_owned(), out::text);
        out::line(format_args!("{incident} sent to {place}: message {}", sent.message_id))?;
    }
    match before {
        Some(before) => watch::watch(&args, &place, &queues, Search::new(place.runs(), sent, before)).await,
        None => Ok(Verdict::Done),
    }
}

fn understand(args: &Args, body: &str) -> anyhow::Result<Option<Intake>> {
    match incident::read(body) {
        Ok(intake) => Ok(Some(intake)),
        Err(_) if args.raw => Ok(None),
        Err(error) => Err(error).with_context(|| file::name(&args.incident)),
    }
}
