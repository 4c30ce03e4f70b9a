//! What one run may do at most.

use super::State;
use crate::limit;

impl State {
    /// Why the run may do no more than it has done; none while it may.
    pub fn used_up(&self) -> Option<String> {
        if self.seq >= limit::EVENTS {
            return Some(format!("the run has {} events, the limit is {}", self.seq, limit::EVENTS));
        }
        if self.hops >= limit::HOPS {
            let (hops, limit) = (self.hops, limit::HOPS);
            return Some(format!("hop budget: the run has sent {hops} commands, the limit is {limit}"));
        }
        None
    }
}
