//! What is being waited for, in one line.

use heal_engine::Timestamp;
use heal_engine::id::StepIndex;

use super::{Seen, Timeline};
use crate::moment;

/// Steps that the line names; beyond it their number.
const NAMED: usize = 3;

impl Timeline {
    /// Which steps are under way at `now`, and since or until when; none where no step is.
    pub(crate) fn under_way(&self, now: Timestamp) -> Option<String> {
        let open: Vec<_> = self.steps.iter().filter(|(_, seen)| !seen.ended && seen.started_at.is_some()).collect();
        let named: Vec<_> = open.iter().take(NAMED).map(|(step, seen)| self.describe(**step, seen, now)).collect();
        let rest = open.len().saturating_sub(NAMED);
        match (named.is_empty(), rest) {
            (true, _) => None,
            (false, 0) => Some(named.join(" · ")),
            (false, rest) => Some(format!("{} · and {rest} more", named.join(" · "))),
        }
    }

    fn describe(&self, step: StepIndex, seen: &Seen, now: Timestamp) -> String {
        let name = self.plan.as_ref().map_or("?", |plan| plan.name(step));
        let since = seen.started_at.map_or(0, |started| now.since_ms(started));
        let left = seen.waits_until.map(|until| until.since_ms(now)).filter(|left| *left > 0);
        match (&seen.items, left) {
            (Some(items), _) => {
                let ended: usize = items.ended.values().sum();
                format!("{name} {ended}/{}", items.total)
            }
            (None, Some(left)) if seen.attempts > 0 => {
                format!("{name} attempt {} in {}", seen.attempts + 1, countdown(left))
            }
            (None, Some(left)) => format!("{name} {} left", countdown(left)),
            (None, None) => format!("{name} attempt {} for {}", seen.attempts.max(1), moment::duration(since)),
        }
    }
}

/// Whole seconds: tenths are only restless.
fn countdown(ms: u64) -> String {
    match ms.div_ceil(1_000) {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds => moment::duration(seconds * 1_000),
    }
}
