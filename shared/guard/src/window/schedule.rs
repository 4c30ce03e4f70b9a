//! When a window is open.

use heal_engine::Timestamp;
use jiff::civil::{Date, Time};
use serde::{Deserialize, Serialize};

use super::local::{LocalTime, Zone};

/// When a window is open: its start belongs to it, its end does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Schedule {
    /// From one local time to another. Where the end is not after the start, it is on the next day.
    ///
    /// A local time that a change of the clocks leaves out is the moment of the change. Of a local time that comes twice, a window opens at
    /// the first and closes at the last.
    Daily {
        /// The days on which it opens, in the zone; empty: every day.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        days: Vec<Weekday>,
        /// When it opens.
        from: LocalTime,
        /// When it closes.
        to: LocalTime,
        /// The zone of both times.
        zone: Zone,
    },
    /// Once.
    Once {
        /// When it opens.
        start: Timestamp,
        /// When it closes.
        end: Timestamp,
    },
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of the days")]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    /// The days from Monday on, by their words.
    pub const ALL: [(&'static str, Self); 7] = [
        ("mon", Self::Mon),
        ("tue", Self::Tue),
        ("wed", Self::Wed),
        ("thu", Self::Thu),
        ("fri", Self::Fri),
        ("sat", Self::Sat),
        ("sun", Self::Sun),
    ];

    fn on(date: Date) -> Self {
        match date.weekday() {
            jiff::civil::Weekday::Monday => Self::Mon,
            jiff::civil::Weekday::Tuesday => Self::Tue,
            jiff::civil::Weekday::Wednesday => Self::Wed,
            jiff::civil::Weekday::Thursday => Self::Thu,
            jiff::civil::Weekday::Friday => Self::Fri,
            jiff::civil::Weekday::Saturday => Self::Sat,
            jiff::civil::Weekday::Sunday => Self::Sun,
        }
    }
}

impl Schedule {
    /// When the window that is open at `now` opened and closes; `None` if it is closed.
    pub fn open_at(&self, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Once { start, end } => (*start <= now && now < *end).then_some((*start, *end)),
            Self::Daily { days, from, to, zone } => {
                let today = zone.local(now)?.date();
                // One that opened yesterday may last; it is the one that closes first.
                [today.yesterday().ok(), Some(today)].into_iter().flatten().find_map(|date| {
                    let opens = days.is_empty() || days.contains(&Weekday::on(date));
                    let (start, end) = opens.then(|| on(date, *from, *to, zone))??;
                    (start <= now && now < end).then_some((start, end))
                })
            }
        }
    }

    /// Whether it is never closed.
    pub fn is_always_open(&self) -> bool {
        match self {
            Self::Once { .. } => false,
            Self::Daily { days, from, to, .. } => {
                let is_every_day = days.is_empty() || Weekday::ALL.iter().all(|(_, day)| days.contains(day));
                is_every_day && *from == LocalTime::MIDNIGHT && *to == LocalTime::END_OF_DAY
            }
        }
    }
}

/// The window that opens on `date`.
fn on(date: Date, from: LocalTime, to: LocalTime, zone: &Zone) -> Option<(Timestamp, Timestamp)> {
    let moment = |date: Date, time: LocalTime, is_end| {
        let (days, minutes) = (time.minutes() / (24 * 60), time.minutes() % (24 * 60));
        let date = if days == 0 { date } else { date.tomorrow().ok()? };
        let time = Time::new(i8::try_from(minutes / 60).ok()?, i8::try_from(minutes % 60).ok()?, 0, 0).ok()?;
        zone.moment(date.to_datetime(time), is_end)
    };
    let last = if to > from { date } else { date.tomorrow().ok()? };
    Some((moment(date, from, false)?, moment(last, to, true)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daily(days: &[Weekday], from: &str, to: &str, zone: &str) -> Schedule {
        let (from, to, zone) = (from.parse().unwrap(), to.parse().unwrap(), zone.parse().unwrap());
        Schedule::Daily { days: days.to_vec(), from, to, zone }
    }

    fn at(text: &str) -> Timestamp {
        "UTC".parse::<Zone>().unwrap().parse_moment(text, false).unwrap()
    }

    /// The open times, as they are found at `moments`.
    fn open(schedule: &Schedule, moments: &[&str]) -> Vec<Option<(Timestamp, Timestamp)>> {
        moments.iter().map(|moment| schedule.open_at(at(moment))).collect()
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
        // 2027-01-15 is a Friday.
        let night = daily(&[Weekday::Fri], "22:00", "06:00", "UTC");
        let whole = Some((at("2027-01-15T22:00:00"), at("2027-01-16T06:00:00")));
        let found = open(
            &night,
            &[
                "2027-01-15T05:59:59",
                "2027-01-15T21:59:59.999",
                "2027-01-15T22:00:00",
                "2027-01-16T05:59:59.999",
                "2027-01-16T06:00:00",
                "2027-01-16T22:00:00",
            ],
        );
        assert_eq!(found, [None, None, whole, whole, None, None]);
    }

    #[test]
    fn a_whole_day_has_neither_a_gap_nor_an_overlap() {
        let always = daily(&[], "00:00", "24:00", "America/New_York");
        assert!(always.is_always_open());
        assert!(!daily(&[Weekday::Mon], "00:00", "24:00", "UTC").is_always_open());
        for hour in 0..24 * 400 {
            let now = Timestamp(at("2026-01-01T00:30").0 + hour * 3_600_000);
            let (start, end) = always.open_at(now).unwrap();
            assert!(start <= now && now < end && (23..=25).contains(&(end.since_ms(start) / 3_600_000)), "{now:?}");
        }
    }

    /// On 2026-03-29 in Berlin, the clocks go from 02:00 to 03:00, at 01:00 UTC.
    #[test]
    fn a_local_time_that_the_clocks_leave_out_is_the_moment_of_the_change() {
        let change = at("2026-03-29T01:00");
        let from_inside = daily(&[], "02:30", "05:00", "Europe/Berlin");
        assert_eq!(from_inside.open_at(change), Some((change, at("2026-03-29T03:00"))));
        assert_eq!(from_inside.open_at(at("2026-03-29T00:59:59")), None);
        let to_inside = daily(&[], "01:00", "02:00", "Europe/Berlin");
        assert_eq!(to_inside.open_at(at("2026-03-29T00:59:59")), Some((at("2026-03-29T00:00"), change)));
        assert_eq!(to_inside.open_at(change), None);
        let within = daily(&[], "02:10", "02:50", "Europe/Berlin");
        for minute in 0..180 {
            assert_eq!(within.open_at(Timestamp(at("2026-03-29T00:00").0 + minute * 60_000)), None);
        }
        let next_day = Some((at("2026-03-30T00:10"), at("2026-03-30T00:50")));
        assert_eq!(within.open_at(at("2026-03-30T00:10")), next_day);
    }

    /// On 2026-10-25 in Berlin, the clocks go from 03:00 back to 02:00, at 01:00 UTC.
    #[test]
    fn of_a_local_time_that_comes_twice_a_window_opens_at_the_first_and_closes_at_the_last() {
        let within = daily(&[], "02:15", "02:45", "Europe/Berlin");
        let whole = Some((at("2026-10-25T00:15"), at("2026-10-25T01:45")));
        let found = open(
            &within,
            &[
                "2026-10-25T00:14:59",
                "2026-10-25T00:15:00",
                "2026-10-25T00:50:00",
                "2026-10-25T01:05:00",
                "2026-10-25T01:44:59",
                "2026-10-25T01:45:00",
            ],
        );
        assert_eq!(found, [None, whole, whole, whole, whole, None]);
        let night = daily(&[], "22:00", "06:00", "Europe/Berlin");
        let nine_hours = Some((at("2026-10-24T20:00"), at("2026-10-25T05:00")));
        assert_eq!(night.open_at(at("2026-10-25T04:59")), nine_hours);
    }

    #[test]
    fn a_single_window_is_open_once() {
        let once = Schedule::Once { start: Timestamp(5), end: Timestamp(7) };
        let found = [4, 5, 6, 7].map(|now| once.open_at(Timestamp(now)).is_some());
        assert_eq!(found, [false, true, true, false]);
    }
}
