//! The deaths of the process with one message in hand.

use crate::limit;

/// How often the process died with a message in hand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Deaths {
    /// It aborted: a stack that overflowed, memory that it did not get, a panic within a panic.
    pub aborts: u32,
    /// It was killed from outside, or its machine stopped: mostly no fault of the message.
    pub kills: u32,
}

impl Deaths {
    pub(super) fn count(&mut self, has_aborted: bool) {
        let count = if has_aborted { &mut self.aborts } else { &mut self.kills };
        *count = count.saturating_add(1);
    }

    /// Whether the message is handled beside no other suspect.
    pub(super) const fn is_suspect(self) -> bool {
        self.aborts >= limit::SUSPECT_ABORTS || self.kills >= limit::SUSPECT_KILLS
    }

    /// Why the message is dead-lettered; `None` if it is handled once more.
    pub(crate) fn verdict(self) -> Option<String> {
        let Self { aborts, kills } = self;
        if aborts >= limit::MAX_ABORTS {
            Some(format!("the process aborted {aborts} times with this message in hand"))
        } else if kills >= limit::MAX_KILLS {
            Some(format!("the process was killed {kills} times with this message in hand"))
        } else {
            None
        }
    }
}
