//! Times as the API writes them.

use heal_engine::Timestamp;

/// `2026-11-23T20:21:00Z`, in UTC.
pub fn rfc3339(at: Timestamp) -> String {
    let time = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    // Times beyond the year 9999 are shown as a number.
    time.map_or_else(|| format!("{} ms", at.0), |time| format!("{time:.0}"))
}
