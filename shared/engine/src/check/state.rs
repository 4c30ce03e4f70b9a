//! What is stored between two probes of a check.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::format::{self, Format};
use crate::time::{Timestamp, seconds_to_ms};

/// The stored state of one check. It is bounded, and losing it does no harm beyond counting from zero.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Time of the last probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<Timestamp>,
    /// Probes in a row without a result.
    #[serde(skip_serializing_if = "is_zero")]
    pub unknown: u32,
    /// Why the last probe had no result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Failing targets, and those that have recovered within their window. At most [`CHECK_TARGETS`](crate::limit::CHECK_TARGETS).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, Tracked>,
}

/// The stored state of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// Probes in a row that found it failing; 0 if it has recovered.
    pub failures: u32,
    /// Time of the first of them, or of the recovery.
    pub since: Timestamp,
    /// Its last incident, until the window ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised: Option<Raised>,
}

/// The last incident about a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// When it was raised.
    pub at: Timestamp,
    /// See [`Incident::incident_id`](super::Incident::incident_id).
    pub incident_id: String,
    /// Whether sending succeeded; otherwise the next probe sends it again.
    pub is_sent: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde requires")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Format for State {
    const NAME: &'static str = "check memory";
}

impl State {
    /// Reads a stored state.
    ///
    /// # Errors
    /// The text is not a check's state, or a newer build wrote it.
    pub fn parse(json: &str) -> Result<Self, format::Error> {
        format::decode(json)
    }

    /// The state as it is stored.
    pub fn to_json(&self) -> String {
        format::encode(self)
    }

    /// Whether the next probe is due, if the schedule ticks every `tick_ms`.
    ///
    /// Schedules are not exact to the millisecond: half a tick early counts as due. A schedule that fires twice per tick probes once.
    pub fn is_due(&self, every_seconds: u64, tick_ms: u64, now: Timestamp) -> bool {
        let every_ms = seconds_to_ms(every_seconds);
        let slack_ms = tick_ms.min(every_ms) / 2;
        self.looked_at.is_none_or(|last| {
            // The clock was set back: it would take long to reach `last` again.
            now.since_ms(last).saturating_add(slack_ms) >= every_ms || last.since_ms(now) >= every_ms.max(tick_ms)
        })
    }

    /// Marks these incidents as sent.
    pub fn mark_sent<'a>(&mut self, incident_ids: impl IntoIterator<Item = &'a str>) {
        let sent: Vec<&str> = incident_ids.into_iter().collect();
        for raised in self.targets.values_mut().filter_map(|target| target.raised.as_mut()) {
            raised.is_sent |= sent.contains(&raised.incident_id.as_str());
        }
    }
}

impl Raised {
    /// Whether the window of this incident has ended at `now`.
    pub(super) fn has_expired(&self, length_seconds: u64, now: Timestamp) -> bool {
        let length_ms = seconds_to_ms(length_seconds);
        // The second case: the clock was set back.
        now.since_ms(self.at) >= length_ms || self.at.since_ms(now) >= length_ms
    }
}
