//! What the commands of the kill switch share: the halts of a backend, and orders to a stack, whose dispatcher alone writes them.

use std::time::Duration;

use anyhow::bail;
use heal_guard::Halt;
use heal_runtime::dispatcher::SwitchOutcome;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Clock as _, HALTS, Message, QueueName, Switches as _, SystemClock};
use tokio::time::Instant;

use crate::backend::{Backend, Stack};

/// The halts in force, read past every cache; the one that ends first comes first.
///
/// # Errors
/// They cannot be read.
pub(super) async fn lasting(backend: &Backend) -> anyhow::Result<Vec<Halt>> {
    let now = SystemClock.now();
    let mut halts = match backend {
        Backend::File { store, .. } => store.halts().await?,
        Backend::Stack(stack) => stack.store.halts().await?,
    };
    halts.retain(|halt| now < halt.until);
    halts.sort_by(|a, b| (a.until, &a.id).cmp(&(b.until, &b.id)));
    Ok(halts)
}

/// Sends an order to the dispatcher of a stack.
///
/// # Errors
/// The message cannot be sent.
pub(super) async fn send(stack: &Stack, order: Inbound) -> anyhow::Result<()> {
    let message = Message { queue: QueueName::Results, body: order.to_body(), delay_ms: 0, traceparent: None };
    stack.queues.send_one(&message).await?;
    Ok(())
}

/// Waits up to `within` seconds until `is_done` holds of the halts.
///
/// # Errors
/// They cannot be read.
pub(super) async fn await_change(
    backend: &Backend,
    within: u64,
    is_done: impl Fn(&[Halt]) -> bool,
) -> anyhow::Result<bool> {
    let give_up = Instant::now() + Duration::from_secs(within);
    loop {
        if is_done(&lasting(backend).await?) {
            return Ok(true);
        }
        if Instant::now() >= give_up {
            return Ok(false);
        }
        tokio::time::sleep(backend.poll()).await;
    }
}

/// Whether the order is done; false if the halt does not exist.
///
/// # Errors
/// It is refused.
pub(super) fn done(outcome: SwitchOutcome) -> anyhow::Result<bool> {
    match outcome {
        SwitchOutcome::Done => Ok(true),
        SwitchOutcome::Unknown => Ok(false),
        SwitchOutcome::Invalid(invalid) => bail!("the halt is refused: {invalid}"),
        SwitchOutcome::TooMany => {
            bail!("the halt is refused: {HALTS} halts last already, the limit; `heal halts` shows them")
        }
    }
}

/// The order is not lost: it stays on the queue until the dispatcher receives it.
pub(super) fn not_yet(order: &str, backend: &Backend, within: u64) -> String {
    let option = backend.option();
    format!(
        "the {order} was sent, but {backend} has not stored it within {within} s; it takes effect once the dispatcher receives it. See the \
         dispatcher's log, then `heal halts {option}` and `heal dlq list {option}`"
    )
}
