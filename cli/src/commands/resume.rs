//! `heal resume`: ends halts, and lets their runs go on.

use anyhow::bail;
use heal_engine::suggest;
use heal_guard::Halt;
use heal_runtime::message::Inbound;
use heal_runtime::port::{DueRuns as _, Message, QueueName, Sender as _};

use super::switch;
use crate::backend::{Backend, BackendArgs, Stack};
use crate::exit::Exit;
use crate::{identity, out};

/// Runs that this command wakes at once; the sweep wakes the others.
const WOKEN_RUNS: usize = 1_000;

/// Ends a halt, or all of them: their runs go on at once, with facts, conditions and policy read anew
///
/// Runs that a person holds alone (`heal runs hold`) stay held.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the halt, as `heal halts` shows it
    #[arg(value_name = "HALT", required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// Every halt
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    backend: BackendArgs,
    /// On a stack: how long to wait until the halts have ended
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = Backend::open(&args.backend).await?;
    let lasting = switch::lasting(&backend).await?;
    let wanted = match &args.id {
        Some(id) => vec![find(id, &lasting)?],
        None => lasting.iter().collect(),
    };
    if wanted.is_empty() {
        out::note("nothing is halted");
        return Ok(Exit::Success);
    }
    for halt in &wanted {
        let (id, by) = (halt.id.clone(), identity::local());
        match &backend {
            Backend::File { .. } => {
                switch::done(backend.reader().resume(&id, &by).await?)?;
            }
            Backend::Stack(stack) => switch::send(stack, Inbound::Resume { id, by }).await?,
        }
    }
    let is_over = |halts: &[Halt]| wanted.iter().all(|halt| halts.iter().all(|other| other.id != halt.id));
    if !switch::await_change(&backend, args.within, is_over).await? {
        out::note(switch::not_yet("order", &backend, args.within));
        return Ok(Exit::Failure);
    }
    for halt in &wanted {
        out::line(format_args!("{}: {} goes on", halt.id, halt.scope))?;
    }
    let woken = wake(&backend).await?;
    out::note(format_args!("{} released", out::plural(woken, "held run")));
    Ok(Exit::Success)
}

fn find<'a>(id: &str, lasting: &'a [Halt]) -> anyhow::Result<&'a Halt> {
    if let Some(halt) = lasting.iter().find(|halt| halt.id == id) {
        return Ok(halt);
    }
    match suggest::closest(id, lasting.iter().map(|halt| halt.id.as_str())) {
        Some(near) => bail!("halt `{}` does not exist; did you mean `{near}`?", out::text(id)),
        None => bail!("halt `{}` does not exist or has ended; `heal halts` shows those in force", out::text(id)),
    }
}

/// Lets the runs go on whose halt has ended; returns their number, at most [`WOKEN_RUNS`].
async fn wake(backend: &Backend) -> anyhow::Result<usize> {
    match backend {
        Backend::File { .. } => Ok(backend.reader().release_held(&*backend.ports().due_runs, WOKEN_RUNS).await?),
        Backend::Stack(stack) => send_wakes(backend, stack).await,
    }
}

async fn send_wakes(backend: &Backend, stack: &Stack) -> anyhow::Result<usize> {
    let lasting: Vec<String> = switch::lasting(backend).await?.into_iter().map(|halt| halt.id).collect();
    let held = stack.store.held_by_others(&lasting, WOKEN_RUNS).await?;
    let woken = held.len();
    let wake = |run_id| Message {
        queue: QueueName::Results,
        body: Inbound::Wake { run_id }.to_body(),
        delay_ms: 0,
        traceparent: None,
    };
    stack.queues.send(held.into_iter().map(wake).collect()).await?;
    Ok(woken)
}
