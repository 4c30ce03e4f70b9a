//! What stands between the functions and the local AWS: it throttles, loses answers, and kills a function amid a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use heal_stack::proxy::{Answer, Call, Forward, Watch};
use tokio::sync::oneshot;

use super::process::Process;
use crate::random::Random;

/// The part of the seed that decides which requests meet trouble.
const REQUESTS: u64 = 7;
/// The name of the function that works on the runs.
const DISPATCHER: &str = "dispatcher";

/// Trouble with AWS itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Trouble {
    #[default]
    None,
    /// Refuses requests to one service as too many.
    Throttle { service: Service, percent: u64 },
    /// Fails requests, and nothing happens.
    Fail { percent: u64 },
    /// Does what is asked, and answers with an error.
    LoseAnswer { percent: u64 },
    /// Answers late.
    Slow { by_ms: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    DynamoDb,
    Sqs,
}

/// Which function is killed, and when.
#[derive(Debug)]
pub(super) struct Order {
    pub victim: Victim,
    pub moment: Moment,
    pub done: oneshot::Sender<Process>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Victim {
    Dispatcher,
    /// Any function that is not the dispatcher.
    Other,
}

/// When a function dies, as its request to AWS sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Before,
    /// Done, and the function does not learn of it.
    Between,
    /// So long after the answer: perhaps in the midst of its call to a service.
    After {
        ms: u64,
    },
}

#[derive(Debug)]
pub(crate) struct Front(Mutex<State>);

#[derive(Debug)]
struct State {
    trouble: Trouble,
    random: Random,
    order: Option<Order>,
    counts: Counts,
}

/// What the functions met.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    requests: u64,
    throttled: u64,
    failed: u64,
    lost: u64,
    slow: u64,
    /// By function.
    killed: BTreeMap<String, u64>,
}

impl Trouble {
    /// What one request meets.
    fn meets(self, target: &str, random: &mut Random) -> Self {
        let is_met = match self {
            Self::None => false,
            Self::Throttle { service, percent } => Service::of(target) == service && random.percent(percent),
            Self::Fail { percent } | Self::LoseAnswer { percent } => random.percent(percent),
            Self::Slow { .. } => true,
        };
        if is_met { self } else { Self::None }
    }
}

impl Service {
    fn of(target: &str) -> Self {
        if target.starts_with("AmazonSQS") { Self::Sqs } else { Self::DynamoDb }
    }

    /// The service's own error for too many requests.
    fn throttled(self) -> Answer {
        match self {
            Self::DynamoDb => {
                Answer::error(400, "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException")
            }
            Self::Sqs => Answer::error(400, "com.amazonaws.sqs#RequestThrottled"),
        }
    }
}

impl Victim {
    fn is(self, function: &str) -> bool {
        (self == Self::Dispatcher) == (function == DISPATCHER)
    }
}

impl Front {
    pub(super) fn new(seed: u64) -> Self {
        let random = Random::of(seed, REQUESTS);
        Self(Mutex::new(State { trouble: Trouble::None, random, order: None, counts: Counts::default() }))
    }

    pub(crate) fn set(&self, trouble: Trouble) {
        self.state().trouble = trouble;
    }

    /// Has the next function that fits killed. A later order replaces one that nobody fitted.
    pub(super) fn order(&self, order: Option<Order>) {
        self.state().order = order;
    }

    pub(crate) fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The order for the function that calls, if there is one.
    fn order_for(&self, call: &Call) -> Option<(Process, Order)> {
        let mut state = self.state();
        let victim = state.order.as_ref()?.victim;
        let process = Process::at(call.peer).filter(|process| victim.is(&process.function))?;
        *state.counts.killed.entry(process.function.clone()).or_default() += 1;
        Some((process, state.order.take()?))
    }

    fn draw(&self, call: &Call) -> Trouble {
        let state = &mut *self.state();
        let met = state.trouble.meets(&call.target, &mut state.random);
        let counts = &mut state.counts;
        counts.requests += 1;
        match met {
            Trouble::None => {}
            Trouble::Throttle { .. } => counts.throttled += 1,
            Trouble::Fail { .. } => counts.failed += 1,
            Trouble::LoseAnswer { .. } => counts.lost += 1,
            Trouble::Slow { .. } => counts.slow += 1,
        }
        met
    }
}

impl Watch for Front {
    async fn pass(&self, call: &Call, forward: Forward<'_>) -> Answer {
        if let Some((process, Order { moment, done, .. })) = self.order_for(call) {
            return kill(process, moment, done, forward).await;
        }
        match self.draw(call) {
            Trouble::None => forward.send().await,
            Trouble::Throttle { service, .. } => service.throttled(),
            Trouble::Fail { .. } => Answer::error(503, "ServiceUnavailable"),
            Trouble::LoseAnswer { .. } => {
                forward.send().await;
                Answer::error(500, "InternalServerError")
            }
            Trouble::Slow { by_ms } => {
                tokio::time::sleep(Duration::from_millis(by_ms)).await;
                forward.send().await
            }
        }
    }
}

async fn kill(process: Process, moment: Moment, done: oneshot::Sender<Process>, forward: Forward<'_>) -> Answer {
    // Whoever ordered it may have given up meanwhile.
    let at_once = |done: oneshot::Sender<Process>| {
        process.kill();
        let _ = done.send(process.clone());
    };
    match moment {
        Moment::Before => {
            at_once(done);
            Answer::error(502, "NobodyListens")
        }
        Moment::Between => {
            let answer = forward.send().await;
            at_once(done);
            answer
        }
        Moment::After { ms } => {
            let answer = forward.send().await;
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                process.kill();
                let _ = done.send(process);
            });
            answer
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { requests, throttled, failed, lost, slow, killed } = self;
        let killed: Vec<_> = killed.iter().map(|(function, kills)| format!("{kills} {function}")).collect();
        write!(
            f,
            "{requests} requests to AWS, of which {throttled} throttled, {failed} failed, {lost} done and answered with an error, {slow} slow; \
             killed: {}",
            if killed.is_empty() { "none".to_owned() } else { killed.join(", ") }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "DynamoDB_20120810.PutItem";
    const QUEUE: &str = "AmazonSQS.SendMessageBatch";

    #[test]
    fn throttling_is_of_one_service() {
        let mut random = Random::of(1, REQUESTS);
        let throttle = |service| Trouble::Throttle { service, percent: 100 };
        assert_eq!(throttle(Service::Sqs).meets(QUEUE, &mut random), throttle(Service::Sqs));
        assert_eq!(throttle(Service::Sqs).meets(TABLE, &mut random), Trouble::None);
        assert_eq!(throttle(Service::DynamoDb).meets(TABLE, &mut random), throttle(Service::DynamoDb));
    }

    #[test]
    fn trouble_meets_so_many_of_a_hundred_requests() {
        let mut random = Random::of(1, REQUESTS);
        let mut met = |trouble: Trouble| (0..1_000).filter(|_| trouble.meets(TABLE, &mut random) == trouble).count();
        assert_eq!((met(Trouble::Fail { percent: 100 }), met(Trouble::Fail { percent: 0 })), (1_000, 0));
        assert!((150..350).contains(&met(Trouble::LoseAnswer { percent: 25 })));
    }

    #[test]
    fn a_victim_is_the_dispatcher_or_anybody_else() {
        assert!(Victim::Dispatcher.is(DISPATCHER) && !Victim::Dispatcher.is("restart-pod"));
        assert!(Victim::Other.is("restart-pod") && !Victim::Other.is(DISPATCHER));
    }
}
