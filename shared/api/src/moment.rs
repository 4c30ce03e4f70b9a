//! Times and durations as people read and write them.

use heal_engine::Timestamp;

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// `2026-11-23T20:21:00Z`, in UTC.
pub fn rfc3339(at: Timestamp) -> String {
    let time = i64::try_from(at.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    // Times beyond the year 9999 are shown as a number.
    time.map_or_else(|| format!("{} ms", at.0), |time| format!("{time:.0}"))
}

/// `12 ms`, `1.25 s`, `2 min 5 s`, `3 h 2 min`, `4 d 7 h`.
pub fn duration(ms: u64) -> String {
    let pair = |(large, large_unit): (u64, &str), (small, small_unit): (u64, &str)| match ms % large / small {
        0 => format!("{} {large_unit}", ms / large),
        rest => format!("{} {large_unit} {rest} {small_unit}", ms / large),
    };
    match ms {
        0..SECOND_MS => format!("{ms} ms"),
        SECOND_MS..10_000 => format!("{}.{:02} s", ms / SECOND_MS, ms % SECOND_MS / 10),
        10_000..MINUTE_MS => format!("{}.{} s", ms / SECOND_MS, ms % SECOND_MS / 100),
        MINUTE_MS..HOUR_MS => pair((MINUTE_MS, "min"), (SECOND_MS, "s")),
        HOUR_MS..DAY_MS => pair((HOUR_MS, "h"), (MINUTE_MS, "min")),
        DAY_MS.. => pair((DAY_MS, "d"), (HOUR_MS, "h")),
    }
}

/// A moment in the past: `90s`, `15m`, `2h`, `7d` before `now`, or RFC 3339.
///
/// # Errors
/// The text is not a time; the error says what was expected.
pub fn parse_since(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let expected = || format!("`{text}` is not a time, expected one such as 90s, 15m, 2h, 7d or 2026-11-23T20:21:00Z");
    if let Some(age_ms) = length_ms(text) {
        return Ok(Timestamp(now.0.saturating_sub(age_ms)));
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| expected())?;
    u64::try_from(time.as_millisecond()).map(Timestamp).map_err(|_| expected())
}

/// A length of time in milliseconds, more than none: `90s`, `15m`, `2h`, `7d`.
///
/// # Errors
/// The text is not a length; the error says what was expected.
pub fn parse_length(text: &str) -> Result<u64, String> {
    let expected = || format!("`{text}` is not a length of time, expected one such as 90s, 15m, 2h or 7d");
    length_ms(text).filter(|ms| *ms > 0).ok_or_else(expected)
}

fn length_ms(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match text.get(digits.len()..).unwrap_or_default() {
        "s" => SECOND_MS,
        "m" | "min" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        _ => return None,
    };
    let count: u64 = digits.trim().parse().ok()?;
    Some(count.saturating_mul(unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_keep_two_or_three_digits_that_matter() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_250, "1.25 s"),
            (59_900, "59.9 s"),
            (125_000, "2 min 5 s"),
            (120_000, "2 min"),
            (3 * HOUR_MS + 2 * MINUTE_MS + 5, "3 h 2 min"),
            (4 * DAY_MS + 7 * HOUR_MS, "4 d 7 h"),
        ];
        for (ms, expected) in cases {
            assert_eq!(duration(ms), expected);
        }
    }

    #[test]
    fn a_length_has_a_unit_and_is_more_than_none() {
        assert_eq!(
            (parse_length("90s"), parse_length("30min"), parse_length("2d")),
            (Ok(90_000), Ok(1_800_000), Ok(2 * DAY_MS))
        );
        for wrong in ["", "0s", "h", "90", "2 weeks", "-1h", "2026-11-23T20:21:00Z"] {
            assert!(parse_length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_in_the_past_is_an_age_or_a_moment() {
        let now = Timestamp(10 * DAY_MS);
        assert_eq!(parse_since("2h", now), Ok(Timestamp(10 * DAY_MS - 2 * HOUR_MS)));
        assert_eq!(parse_since("7d", now), Ok(Timestamp(3 * DAY_MS)));
        assert_eq!(parse_since("400d", now), Ok(Timestamp(0)));
        assert_eq!(parse_since("1970-01-02T00:00:00Z", now), Ok(Timestamp(DAY_MS)));
        for wrong in ["", "h", "2 weeks", "yesterday", "-3h", "1969-01-01T00:00:00Z"] {
            assert!(parse_since(wrong, now).is_err(), "{wrong}");
        }
        assert_eq!(rfc3339(Timestamp(1_795_465_260_123)), "2026-11-23T20:21:00Z");
    }
}
