//! The ends of storms: nobody orders them, so each sweep looks for those that people have not been told of.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use heal_engine::Timestamp;
use heal_engine::notice::{Notice, NoticeEvent, Owed};
use heal_guard::Halt;

use crate::dispatcher::notify_message;
use crate::port::{BackendError, Sender};

/// Milliseconds after its end for which a storm's end is still told: nobody may have looked for a while.
const TOLD_WITHIN_MS: u64 = 3_600_000;

/// Tells people once that a storm is over. Another process may tell them too: it is the same notice, which is told once by its key.
#[derive(Debug, Default)]
pub struct EndedStorms(Mutex<BTreeSet<String>>);

impl EndedStorms {
    /// Sends the notifier what it has not been sent of `halts`.
    ///
    /// # Errors
    /// The queue did not take it. The next look tries again.
    pub async fn tell(&self, halts: &[Halt], sender: &dyn Sender, now: Timestamp) -> Result<(), BackendError> {
        let untold: Vec<_> = halts.iter().filter(|halt| has_ended(halt, now) && !self.is_told(halt)).collect();
        if untold.is_empty() {
            return Ok(());
        }
        sender.send(untold.iter().map(|halt| notify_message(&Owed::Notice(Box::new(notice(halt))))).collect()).await?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(untold.into_iter().map(|halt| halt.id.clone()));
        Ok(())
    }

    fn is_told(&self, halt: &Halt) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&halt.id)
    }
}

fn has_ended(halt: &Halt, now: Timestamp) -> bool {
    halt.storm.is_some() && halt.until <= now && now.since_ms(halt.until) < TOLD_WITHIN_MS
}

/// The same storm again is the same notice.
fn notice(halt: &Halt) -> Notice {
    let title = format!("Storm over: {} is healed again", halt.scope);
    let notice = Notice::new(NoticeEvent::StormOver, halt.id.as_str(), halt.until, title);
    notice.fact("halt", halt.id.as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use heal_guard::{HaltScope, STORM_BY, Storm};
    use heal_testkit::memory::{Faults, ManualClock, Queues};

    use super::*;

    fn storm(id: &str, until: u64) -> Halt {
        let run_id = heal_engine::RunId::new("run-1");
        Halt {
            id: id.to_owned(),
            scope: HaltScope::Service { name: "kubernetes".to_owned() },
            since: Timestamp(0),
            until: Timestamp(until),
            reason: String::new(),
            by: STORM_BY.to_owned(),
            storm: Some(Storm { run_id, targets: 5, trickle: 1, window_ms: 1 }),
        }
    }

    #[tokio::test]
    async fn a_storm_that_is_over_is_told_once_for_an_hour() {
        let queues = Queues::new(Arc::new(ManualClock::default()), Faults::default());
        let (ended, order) = (EndedStorms::default(), Halt { storm: None, ..storm("order", 1) });
        let halts = [storm("a", 1_000), storm("b", 2_000), order];
        for (now, sent) in [(999, 0), (1_000, 1), (1_001, 1), (2_000, 2), (3_000, 2)] {
            ended.tell(&halts, &queues, Timestamp(now)).await.unwrap();
            assert_eq!(queues.pending(), sent, "{now}");
        }
        EndedStorms::default().tell(&halts, &queues, Timestamp(2_000 + TOLD_WITHIN_MS)).await.unwrap();
        assert_eq!(queues.pending(), 2, "nobody wants to know any more");
    }
}
