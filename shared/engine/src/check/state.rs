//! What is remembered between two looks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::format::{self, Format};
use crate::time::{Timestamp, seconds_to_ms};

/// What is remembered of one check. It is bounded, and a check goes on without it: at worst a target is counted anew.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// When it was last looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// Looks in a row that could tell nothing.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: u32,
    /// Why the last one could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Failing targets, and those that have recovered within their window. At most [`CHECK_TARGETS`](crate::limit::CHECK_TARGETS).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, Tracked>,
}

/// What is remembered of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Looks in a row that found it failing; 0 where it has recovered.
    pub failures: u32,
    /// The first of them, or the recovery.
    pub since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Raised>,
}

/// The last incident about a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    pub at: Timestamp,
    pub incident_id: String,
    /// False from the decision until it is known that the incident went out: it is sent again at the next look.
    pub is_sent: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Format for State {
    const NAME: &'static str = "check memory";
}

impl State {
    /// The state as it was stored.
    ///
    /// # Errors
    /// The text is not a check's state, or a newer build wrote it.
    pub fn parse(json: &str) -> Result<Self, format::Error> {
        format::decode(json)
    }

    /// The text that [`State::parse`] reads.
    pub fn to_json(&self) -> String {
        format::encode(self)
    }

    /// Whether it is time for the next look, where the schedule comes round every `tick_ms`.
    ///
    /// A schedule is never on time to the millisecond: half a tick early is in time. So a schedule that comes twice for one tick looks once.
    pub fn is_due(&self, every_seconds: u64, tick_ms: u64, now: Timestamp) -> bool {
        let every_ms = seconds_to_ms(every_seconds);
        let slack_ms = tick_ms.min(every_ms) / 2;
        self.looked_at.is_none_or(|last| {
            // A clock that was set back by more than that will not come to this moment for a long time.
            now.since_ms(last).saturating_add(slack_ms) >= every_ms || last.since_ms(now) >= every_ms.max(tick_ms)
        })
    }

    /// Remembers that these incidents went out.
    pub fn mark_sent<'a>(&mut self, incident_ids: impl IntoIterator<Item = &'a str>) {
        let sent: Vec<&str> = incident_ids.into_iter().collect();
        for raised in self.targets.values_mut().filter_map(|target| target.raised.as_mut()) {
            raised.is_sent |= sent.contains(&raised.incident_id.as_str());
        }
    }
}

impl Raised {
    /// Whether the time in which nothing is raised again is over at `now`.
    pub(super) fn is_over(&self, length_seconds: u64, now: Timestamp) -> bool {
        let length_ms = seconds_to_ms(length_seconds);
        // As above: a clock that was set back.
        now.since_ms(self.at) >= length_ms || self.at.since_ms(now) >= length_ms
    }
}
