//! Gathers messages that are sent at the same time: a request of SQS takes ten messages for the price of one.
//!
//! A batch of deliveries is handled concurrently, and each sends its own messages. The first one is sent at once; what comes while it is under
//! way goes together in the next request. So a message that is alone waits for nothing.

use std::collections::HashMap;
use std::error::Error as _;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use heal_runtime::port::{BackendError, Message, QueueName, Result};
use tokio::sync::oneshot;

use super::batch::OPERATION;
use crate::text::chain;

/// What waits to be sent, by queue.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    lines: Mutex<HashMap<QueueName, Arc<Line>>>,
}

/// What waits to be sent to one queue.
#[derive(Debug, Default)]
struct Line {
    waiting: Mutex<Vec<Waiting>>,
    /// Held while a request is under way.
    under_way: tokio::sync::Mutex<()>,
}

/// The messages of one sender, who is told what became of them.
#[derive(Debug)]
struct Waiting {
    messages: Vec<Message>,
    /// The text of the error if they may not have been sent.
    told: oneshot::Sender<std::result::Result<(), String>>,
}

impl Gathering {
    /// Sends the messages by `send`, together with those of others that wait for the same queue.
    ///
    /// # Errors
    /// That of `send`, in words if another sender made the request. Some of the messages may have been sent.
    pub(super) async fn send<F>(
        &self,
        queue: &QueueName,
        messages: Vec<Message>,
        send: impl FnOnce(Vec<Message>) -> F + Send,
    ) -> Result<()>
    where
        F: Future<Output = Result<()>> + Send,
    {
        let line = Arc::clone(lock(&self.lines).entry(queue.clone()).or_default());
        let (told, mut answer) = oneshot::channel();
        lock(&line.waiting).push(Waiting { messages, told });
        // Whoever is handled in the same batch and is ready too gets into the same request.
        tokio::task::yield_now().await;
        let _under_way = line.under_way.lock().await;
        match answer.try_recv() {
            Ok(answer) => return answer.map_err(|why| BackendError::unavailable(OPERATION, why)),
            Err(oneshot::error::TryRecvError::Closed) => {
                return Err(BackendError::unavailable(OPERATION, "the request that had the message was given up"));
            }
            Err(oneshot::error::TryRecvError::Empty) => {}
        }
        let (messages, told): (Vec<_>, Vec<_>) =
            std::mem::take(&mut *lock(&line.waiting)).into_iter().map(|one| (one.messages, one.told)).unzip();
        let sent = send(messages.into_iter().flatten().collect()).await;
        let answer = sent.as_ref().copied().map_err(|error| error.source().map_or_else(|| error.to_string(), chain));
        for told in told {
            // Nobody listens any more: its delivery was given up, and comes again.
            let _ = told.send(answer.clone());
        }
        sent
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::join_all;

    use super::*;

    fn message(number: usize) -> Message {
        Message { queue: QueueName::Results, body: number.to_string(), delay_ms: 0, traceparent: None }
    }

    /// Sends this many messages at the same time, and gives the sizes of the requests.
    async fn sizes(messages: usize, fails: bool) -> (Vec<usize>, Vec<Result<()>>) {
        let (gathering, requests) = (Gathering::default(), Mutex::new(Vec::new()));
        let send = |number| {
            gathering.send(&QueueName::Results, vec![message(number)], async |messages: Vec<Message>| {
                lock(&requests).push(messages.len());
                tokio::time::sleep(Duration::from_millis(5)).await;
                if fails { Err(BackendError::unavailable(OPERATION, "throttled")) } else { Ok(()) }
            })
        };
        let answers = join_all((0..messages).map(send)).await;
        let sizes = lock(&requests).clone();
        (sizes, answers)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_sent_at_the_same_time_is_one_request() {
        assert_eq!(sizes(1, false).await.0, [1]);
        let (sizes, answers) = sizes(10, false).await;
        assert_eq!((sizes, answers.iter().filter(|answer| answer.is_ok()).count()), (vec![10], 10));
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_whose_messages_were_in_a_failed_request_is_told() {
        for answer in sizes(3, true).await.1 {
            assert_eq!(chain(&answer.unwrap_err()), "queues.send: the backend is unavailable: throttled");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_whose_request_was_given_up_is_reported_as_not_sent() {
        let gathering = Gathering::default();
        let hangs =
            gathering.send(&QueueName::Results, vec![message(1)], async |_: Vec<Message>| std::future::pending().await);
        let waits = gathering.send(&QueueName::Results, vec![message(2)], async |_: Vec<Message>| Ok(()));
        let given_up = tokio::time::timeout(Duration::from_millis(10), hangs);
        let (given_up, waited) = futures_util::future::join(given_up, waits).await;
        assert!(given_up.is_err());
        let waited = chain(&waited.unwrap_err());
        assert!(waited.ends_with("the request that had the message was given up"), "{waited}");
    }
}
