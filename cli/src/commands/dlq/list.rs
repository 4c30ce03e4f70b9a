//! `heal dlq list`: the dead letters, and the number of messages on each queue of a stack.

use futures_util::{StreamExt as _, stream};
use heal_aws::Queues;
use heal_runtime::port::{DeadLetter, QueueName};
use serde::Serialize;

use crate::backend::{Backend, BackendArgs, Stack};
use crate::exit::Exit;
use crate::{moment, out};

const EXAMPLES: &str = "\
Examples:
  heal dlq list --stack prod
  heal dlq list --json | jq -r 'select(.kind == \"dead_letter\") | .body'";

/// Queues that are queried at the same time.
const QUEUES_AT_ONCE: usize = 8;

/// Lists the messages that could not be processed, the oldest first, with the reason
///
/// For a stack, also shows how many messages are on each queue and on its dead-letter queue; the counts of SQS are approximate. The listed
/// messages stay where they are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Maximum number of messages
    #[arg(long, default_value_t = 20, value_name = "COUNT")]
    pub limit: usize,
    /// One JSON object a message and a queue, with the message's body
    #[arg(long)]
    pub json: bool,
}

/// One line of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Line<'a> {
    DeadLetter { message_id: &'a str, queue: String, body: &'a str, receive_count: u32, reason: &'a str, sent_at: u64 },
    Queue(&'a Depth),
}

/// Messages on a queue and on its dead-letter queue.
#[derive(Debug, Serialize)]
struct Depth {
    queue: String,
    /// `None` if the queue cannot be queried.
    messages: Option<u64>,
    dead_letters: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    // One more than is shown, to know whether there are more.
    let mut dead_letters = backend.dead_letters(args.limit.saturating_add(1)).await?;
    let more = dead_letters.len() > args.limit;
    dead_letters.truncate(args.limit);
    let depths = match &backend {
        Backend::File { .. } => Vec::new(),
        Backend::Stack(stack) => depths(&stack.queues).await,
    };
    if args.json {
        dead_letters.iter().map(line).try_for_each(|line| out::json(&line))?;
        depths.iter().map(Line::Queue).try_for_each(|line| out::json(&line))?;
    } else {
        print(&dead_letters, &depths)?;
    }
    if more {
        out::note(format_args!("there are more than {}; --limit shows more", args.limit));
    }
    Ok(Exit::Success)
}

async fn depths(queues: &Queues) -> Vec<Depth> {
    stream::iter(Stack::work_queues()).map(|queue| depth(queues, queue)).buffered(QUEUES_AT_ONCE).collect().await
}

async fn depth(queues: &Queues, queue: QueueName) -> Depth {
    let urls = queues.urls();
    let (queue_url, dead_url) = (urls.url_of(&queue), urls.dead_letter_url_of(&queue));
    let (messages, dead_letters) = tokio::join!(queues.depth(&queue_url), queues.depth(&dead_url));
    let problem = messages.as_ref().err().or(dead_letters.as_ref().err()).map(ToString::to_string);
    Depth { queue: queue.to_string(), messages: messages.ok(), dead_letters: dead_letters.ok(), problem }
}

fn print(dead_letters: &[DeadLetter], depths: &[Depth]) -> std::io::Result<()> {
    if dead_letters.is_empty() {
        out::note("no dead letters");
    } else {
        let rows = dead_letters.iter().map(row).collect();
        out::table(["MESSAGE", "QUEUE", "RECEIVED", "SENT", "REASON"], rows)?;
    }
    if depths.is_empty() {
        return Ok(());
    }
    out::line("")?;
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let rows = depths.iter().map(|depth| [depth.queue.clone(), count(depth.messages), count(depth.dead_letters)]);
    out::table(["QUEUE", "MESSAGES", "DEAD LETTERS"], rows.collect())?;
    depths.iter().filter_map(|depth| depth.problem.as_ref()).for_each(|problem| out::note(out::text(problem)));
    Ok(())
}

fn row(dead_letter: &DeadLetter) -> [String; 5] {
    [
        out::text(&dead_letter.message_id),
        out::text(&dead_letter.queue.to_string()),
        dead_letter.receive_count.to_string(),
        moment::rfc3339(dead_letter.sent_at),
        out::text(&dead_letter.reason),
    ]
}

fn line(dead_letter: &DeadLetter) -> Line<'_> {
    let DeadLetter { message_id, queue, body, receive_count, reason, sent_at } = dead_letter;
    Line::DeadLetter {
        message_id,
        queue: queue.to_string(),
        body,
        receive_count: *receive_count,
        reason,
        sent_at: sent_at.0,
    }
}
