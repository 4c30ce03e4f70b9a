//! What a digest says, and when it is due.

use std::fmt::Write as _;

use heal_engine::Timestamp;
use heal_engine::notice::{DigestTimes, Notice, NoticeEvent};
use heal_engine::severity::Severity;
use heal_engine::text::one_line;
use heal_telemetry::logs::rfc3339;
use jiff::ToSpan as _;
use serde::{Deserialize, Serialize};

use crate::quiet::{time, zone};

/// Notices of one digest; those after them are in the next one.
pub(crate) const ENTRIES: usize = 200;
/// Entries that the text of a digest shows: the most severe ones. Its limit is [`heal_engine::limit::TEXT_BYTES`].
const SHOWN: usize = 20;

/// One place of a digest, as the claim store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Slot {
    /// A notice that was collected.
    Entry(Entry),
    /// Nothing is added any more: the digest is told.
    Closed,
}

/// A notice that was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    key: String,
    at: Timestamp,
    title: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    severity: Option<String>,
}

impl Entry {
    pub fn of(notice: &Notice) -> Self {
        let Notice { key, at, title, severity, .. } = notice;
        Self { key: key.clone(), at: *at, title: one_line(title), severity: severity.clone() }
    }

    /// The key of the notice.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Most severe first; a notice without a known severity is among the high ones.
    fn rank(&self) -> (Severity, Timestamp) {
        let severity = self.severity.as_deref().and_then(Severity::parse);
        (severity.unwrap_or(Severity::High), self.at)
    }
}

/// The first of the times after `after`; `None` if they cannot be kept: then a notice is better told at once than never.
pub(crate) fn next(times: &[&DigestTimes], after: Timestamp) -> Option<Timestamp> {
    times.iter().filter_map(|times| next_of(times, after)).min()
}

fn next_of(times: &DigestTimes, after: Timestamp) -> Option<Timestamp> {
    let zone = zone(&times.time_zone)?;
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(after.0).ok()?).ok()?.to_zoned(zone.clone());
    // The clock may be put forward over a time of this day.
    let days: Vec<_> = (0..=2).filter_map(|days: i64| moment.date().checked_add(days.days()).ok()).collect();
    let moments = days.iter().flat_map(|day| times.at.iter().filter_map(|at| Some(day.to_datetime(time(at)?))));
    let moments = moments.filter_map(|moment| {
        let moment = moment.to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
        u64::try_from(moment).ok().map(Timestamp)
    });
    moments.filter(|moment| *moment > after).min()
}

/// The notice of a digest of `channel`, due at `at`. The same entries make the same notice.
pub(crate) fn notice(channel: &str, at: Timestamp, entries: &[&Entry]) -> Notice {
    let mut sorted = entries.to_vec();
    sorted.sort_by_key(|entry| entry.rank());
    let mut text = String::new();
    for Entry { at, title, severity, .. } in sorted.iter().take(SHOWN) {
        let severity = severity.as_deref().map(|severity| format!("{} ", one_line(severity))).unwrap_or_default();
        let _ = writeln!(text, "{} {severity}{title}", rfc3339(at.0));
    }
    let rest = entries.len().saturating_sub(SHOWN);
    if rest > 0 {
        let _ = writeln!(text, "and {rest} more, which are less severe: `heal runs list`, or the console");
    }
    let title = match entries.len() {
        1 => "Digest: 1 notice".to_owned(),
        count => format!("Digest: {count} notices"),
    };
    let notice = Notice::new(NoticeEvent::Digest, format!("digest/{channel}/{}", at.0), at, title);
    notice.detailed(text.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-15T00:00:00Z.
    const MIDNIGHT: u64 = 1_768_435_200_000;
    const MINUTE_MS: u64 = 60_000;

    fn times(at: &[&str], zone: &str) -> DigestTimes {
        DigestTimes { at: at.iter().map(|at| (*at).to_owned()).collect(), time_zone: zone.to_owned() }
    }

    fn entry(number: u64, severity: Option<&str>) -> Entry {
        Entry {
            key: format!("run-{number}:1:run_ended"),
            at: Timestamp(MIDNIGHT + number * MINUTE_MS),
            title: format!("run {number}"),
            severity: severity.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn the_next_time_is_after_the_moment_and_by_the_clock_of_its_zone() {
        let office = times(&["16:00", "08:00"], "Europe/Berlin");
        let next_minutes = |minutes: u64| {
            let next = next(&[&office], Timestamp(MIDNIGHT + minutes * MINUTE_MS)).unwrap();
            (next.0 - MIDNIGHT) / MINUTE_MS
        };
        // Berlin is an hour ahead in January.
        assert_eq!([0, 7 * 60 - 1, 7 * 60, 15 * 60].map(next_minutes), [7 * 60, 7 * 60, 15 * 60, (24 + 7) * 60]);
        let early = times(&["01:30"], "UTC");
        assert_eq!(next(&[&office, &early], Timestamp(MIDNIGHT)), Some(Timestamp(MIDNIGHT + 90 * MINUTE_MS)));
        assert_eq!(next(&[&times(&["8"], "UTC")], Timestamp(MIDNIGHT)), None);
        assert_eq!(next(&[&times(&["08:00"], "Europe/Berlyn")], Timestamp(MIDNIGHT)), None);
    }

    #[test]
    fn a_day_whose_clock_is_put_forward_has_its_digest_too() {
        // 2026-03-28T23:00:00Z is midnight in Berlin; the clock goes from 02:00 to 03:00.
        let midnight = Timestamp(1_774_738_800_000);
        let digest = times(&["02:30"], "Europe/Berlin");
        assert_eq!(next(&[&digest], midnight), Some(midnight.plus_ms(150 * MINUTE_MS)));
    }

    #[test]
    fn the_most_severe_come_first_and_the_rest_is_counted() {
        let mut entries: Vec<Entry> = (0..25).map(|number| entry(number, Some("LOW"))).collect();
        entries.push(entry(30, Some("CRITICAL")));
        entries.push(entry(31, None));
        let notice = notice("chat", Timestamp(9), &entries.iter().collect::<Vec<_>>());
        assert_eq!((notice.title.as_str(), notice.key.as_str()), ("Digest: 27 notices", "digest/chat/9:digest"));
        let lines: Vec<&str> = notice.detail.lines().collect();
        assert_eq!(
            lines[..3],
            ["2026-01-15T00:30:00Z CRITICAL run 30", "2026-01-15T00:31:00Z run 31", "2026-01-15T00:00:00Z LOW run 0"]
        );
        assert_eq!(lines.len(), SHOWN + 1);
        assert_eq!(lines[SHOWN], "and 7 more, which are less severe: `heal runs list`, or the console");
    }

    /// A digest that an older build has begun is read by the next one.
    #[test]
    fn a_slot_is_stored_as_it_was() {
        for (text, slot) in [
            (
                r#"{"kind":"entry","key":"run-1:1:run_ended","at":1768435260000,"title":"run 1","severity":"LOW"}"#,
                Slot::Entry(entry(1, Some("LOW"))),
            ),
            (r#"{"kind":"closed"}"#, Slot::Closed),
        ] {
            assert_eq!(serde_json::from_str::<Slot>(text).unwrap(), slot);
            assert_eq!(serde_json::to_string(&slot).unwrap(), text);
        }
    }
}
