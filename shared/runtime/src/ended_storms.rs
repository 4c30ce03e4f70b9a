//! The ends of storms: nobody orders them, so each sweep looks for those that people have not been told of.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use heal_engine::Timestamp;
use heal_engine::notice::{Notice, NoticeEvent, Owed};
use heal_guard::Halt;

use crate::dispatcher::notify_message;
use crate::port::{BackendError, Sender};

/// Milliseconds after its end for which a storm's end is still told: nobody may have looked for a while.
pub const TOLD_WITHIN_MS: u64 = 3_600_000;

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
