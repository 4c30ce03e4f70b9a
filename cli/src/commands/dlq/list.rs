//! `heal dlq list`: which messages nobody could carry out, and of a stack how much lies on each queue.

use futures_util::{StreamExt as _, stream};
use heal_aws::Queues;
use heal_runtime::port::{DeadLetter, QueueName};
use owo_colors::OwoColorize as _;
use serde::Serialize;

use super::letters;
use crate::exit::Verdict;
use crate::place::{Place, PlaceArgs, Stack};
use crate::{moment, out, table};

const EXAMPLES: &str = "\
Examples:
  heal dlq list --stack prod
  heal dlq list --json | jq -r 'select(.kind == \"dead_letter\") | .body'";

/// Queues that are asked at the same time.
const QUEUES_AT_ONCE: usize = 8;

/// Lists messages that nobody could carry out, the oldest first, with the reason
///
/// Of a stack also how many messages lie on each queue and on its dead-letter queue, nearly: SQS counts only so exactly. What is listed stays
/// where it is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// At most so many
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

/// How much lies on a queue.
#[derive(Debug, Serialize)]
struct Depth {
    queue: String,
    /// None where the queue cannot be asked.
    messages: Option<u64>,
    dead_letters: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let place = Place::open(&args.place).await?;
    // One more than is shown tells whether there are more.
    let mut letters = letters::list(&place, args.limit.saturating_add(1)).await?;
    let more = letters.len() > args.limit;
    letters.truncate(args.limit);
    let depths = match &place {
        Place::File { .. } => Vec::new(),
        Place::Stack(stack) => depths(&stack.queues).await,
    };
    if args.json {
        letters.iter().map(line).try_for_each(|line| out::json(&line))?;
        depths.iter().map(Line::Queue).try_for_each(|line| out::json(&line))?;
    } else {
        print(&letters, &depths)?;
    }
    if more {
        out::note(format_args!("there are more than {}; --limit shows more", args.limit));
    }
    Ok(Verdict::Done)
}

async fn depths(queues: &Queues) -> Vec<Depth> {
    stream::iter(Stack::work_queues()).map(|queue| depth(queues, queue)).buffered(QUEUES_AT_ONCE).collect().await
}

async fn depth(queues: &Queues, queue: QueueName) -> Depth {
    let urls = queues.urls();
    let (of_queue, of_dead) = (urls.url_of(&queue), urls.dead_letter_url_of(&queue));
    let (messages, dead_letters) = tokio::join!(queues.depth(&of_queue), queues.depth(&of_dead));
    let problem = messages.as_ref().err().or(dead_letters.as_ref().err()).map(ToString::to_string);
    Depth { queue: queue.to_string(), messages: messages.ok(), dead_letters: dead_letters.ok(), problem }
}

fn print(letters: &[DeadLetter], depths: &[Depth]) -> std::io::Result<()> {
    if letters.is_empty() {
        out::note("no dead letters");
    } else {
        let rows = letters.iter().map(row).collect();
        print_table(["MESSAGE", "QUEUE", "RECEIVED", "SENT", "REASON"], rows)?;
    }
    if depths.is_empty() {
        return Ok(());
    }
    out::line("")?;
    let count = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let rows = depths.iter().map(|depth| [depth.queue.clone(), count(depth.messages), count(depth.dead_letters)]);
    print_table(["QUEUE", "MESSAGES", "DEAD LETTERS"], rows.collect())?;
    depths.iter().filter_map(|depth| depth.problem.as_ref()).for_each(|problem| out::note(out::text(problem)));
    Ok(())
}

fn print_table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> std::io::Result<()> {
    let mut lines = table::lines(head, rows).enumerate();
    lines.try_for_each(|(place, line)| if place == 0 { out::line(line.dimmed()) } else { out::line(line) })
}

fn row(letter: &DeadLetter) -> [String; 5] {
    [
        out::text(&letter.message_id),
        out::text(&letter.queue.to_string()),
        letter.receive_count.to_string(),
        moment::rfc3339(letter.sent_at),
        out::text(&letter.reason),
    ]
}

fn line(letter: &DeadLetter) -> Line<'_> {
    let DeadLetter { message_id, queue, body, receive_count, reason, sent_at } = letter;
    Line::DeadLetter {
        message_id,
        queue: queue.to_string(),
        body,
        receive_count: *receive_count,
        reason,
        sent_at: sent_at.0,
    }
}
