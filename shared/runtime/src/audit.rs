//! The heads of days: one digest over the logs of all runs that ended on a day, for others to keep.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use heal_engine::chain::{self, RunEnd};
use heal_engine::{Digest, RunId, Timestamp};

use crate::port::{BackendError, Position, RunFilter, RunHead, RunReader};

const DAY_MS: u64 = 86_400_000;
/// Days in the 400 years after which the calendar repeats, and the days from 1 March of year 0 to 1970-01-01.
const ERA_DAYS: u64 = 146_097;
const EPOCH_DAYS: u64 = 719_468;
/// Runs of one query.
const PAGE: usize = 200;
/// Logs that are read at the same time.
const READS: usize = 16;
/// Days before a day from which the runs are examined that ended on it. A run that took longer, since people held it, is in no head; nor is one that
/// started after the day, by a clock that was ahead.
const LONGEST_RUN_DAYS: u64 = 31;

/// A day in UTC, by its number since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day(u64);

/// The head of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayHead {
    /// The day.
    pub day: Day,
    /// The runs that ended on it.
    pub runs: usize,
    /// The digest over their logs.
    pub head: Digest,
}

/// Why the head of a day is not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The runs cannot be listed.
    #[error("failed to list the runs of the last days")]
    List(#[source] BackendError),
    /// One log cannot be read.
    #[error("failed to read the log of run {run_id}")]
    Log {
        /// The run.
        run_id: RunId,
        /// Why.
        #[source]
        source: BackendError,
    },
}

/// What a process has logged of the heads of days.
#[derive(Debug, Default)]
pub struct HeadLog {
    last: Mutex<Option<Day>>,
}

impl HeadLog {
    /// Logs the head of the last day that is over at `now`, as the event `audit.head`, unless this process has done so already. What fails is
    /// tried again by the next call; what takes longer than `within` is not.
    pub async fn log_due(&self, runs: &dyn RunReader, now: Timestamp, within: Duration) {
        let Some(day) = Day::before(now).filter(|day| *self.last() != Some(*day)) else { return };
        match tokio::time::timeout(within, day.head(runs)).await {
            Ok(Ok(DayHead { runs, head, .. })) => {
                let event = "audit.head";
                tracing::info!(event, %day, runs, %head, "head of the logs of all runs that ended on a day");
            }
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, %day, "failed to compute the head of a day");
                return;
            }
            Err(_) => {
                let seconds = within.as_secs();
                tracing::warn!(%day, seconds, "the head of a day took too long; `heal audit head` computes it");
            }
        }
        *self.last() = Some(day);
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Option<Day>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Day {
    /// The last day that is over at `now`; `None` on the first day of the epoch.
    pub fn before(now: Timestamp) -> Option<Self> {
        (now.0 / DAY_MS).checked_sub(1).map(Self)
    }

    /// Whether no run can end on this day any more.
    pub const fn is_over(self, now: Timestamp) -> bool {
        now.0 / DAY_MS > self.0
    }

    /// The head of this day.
    ///
    /// # Errors
    /// The runs cannot be listed, or a log cannot be read.
    pub async fn head(self, runs: &dyn RunReader) -> Result<DayHead, Error> {
        let ends = self.ends(runs).await?;
        Ok(DayHead { day: self, runs: ends.len(), head: chain::head_of_day(ends) })
    }

    /// The runs that ended on this day.
    ///
    /// # Errors
    /// As [`Day::head`].
    pub async fn ends(self, runs: &dyn RunReader) -> Result<Vec<RunEnd>, Error> {
        let first = Timestamp(self.0.saturating_mul(DAY_MS));
        let since = Timestamp(first.0.saturating_sub(LONGEST_RUN_DAYS * DAY_MS));
        let filter = RunFilter { since: Some(since), ..RunFilter::default() };
        let over = Position { urgency: 0, started_at: first.plus_ms(DAY_MS), run_id: String::new() };
        let (mut ends, mut cursor) = (Vec::new(), Some(filter.cursor(&over)));
        while let Some(from) = cursor {
            let page = runs.list(&filter, PAGE, Some(&from)).await.map_err(Error::List)?;
            // An ended run may have been added to since.
            let ended = page.runs.into_iter().filter(|head| head.status.is_terminal() && head.updated_at >= first);
            let read = |head: RunHead| async move { end(runs, head.run_id).await };
            let read: Vec<_> = stream::iter(ended).map(read).buffered(READS).collect().await;
            let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
            ends.extend(read.into_iter().flatten().filter(|end| self.contains(end.at)));
            cursor = page.next;
        }
        Ok(ends)
    }

    const fn contains(self, at: Timestamp) -> bool {
        at.0 / DAY_MS == self.0
    }

    /// The day of this date; `None` before 1970. A date that does not exist gives another one's day.
    ///
    /// The algorithm is Howard Hinnant's `days_from_civil`, <https://howardhinnant.github.io/date_algorithms.html>: years start in March,
    /// so that the leap day is the last one.
    fn of_date(year: u64, month: u64, day: u64) -> Option<Self> {
        let year = if month > 2 { year } else { year.checked_sub(1)? };
        let (era, year_of_era) = (year / 400, year % 400);
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (era * ERA_DAYS + day_of_era).checked_sub(EPOCH_DAYS).map(Self)
    }

    /// Year, month and day, by the inverse of [`Day::of_date`].
    const fn date(self) -> (u64, u64, u64) {
        let days = self.0.saturating_add(EPOCH_DAYS);
        let (era, day_of_era) = (days / ERA_DAYS, days % ERA_DAYS);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = year_of_era + era * 400;
        (if month > 2 { year } else { year + 1 }, month, day)
    }
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut numbers = text.splitn(3, '-').map(|part| part.parse().ok().filter(|number| *number <= 9_999));
        let mut number = || numbers.next().flatten();
        let day = match (number(), number(), number()) {
            (Some(year), Some(month), Some(day)) => Self::of_date(year, month, day),
            _ => None,
        };
        // A date that does not exist, or is written in another way, reads as another one.
        day.filter(|day| day.to_string() == text)
            .ok_or_else(|| format!("`{text}` is not a day since 1970, expected one such as 2026-11-28"))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

async fn end(runs: &dyn RunReader, run_id: RunId) -> Result<Option<RunEnd>, Error> {
    match runs.stored(&run_id).await {
        Ok(stored) => Ok(chain::end(&stored)),
        Err(source) => Err(Error::Log { run_id, source }),
    }
}

/// All runs that started at or after `since`.
///
/// # Errors
/// The store is unavailable.
pub async fn list(runs: &dyn RunReader, since: Option<Timestamp>) -> Result<Vec<RunHead>, BackendError> {
    let filter = RunFilter { since, ..RunFilter::default() };
    let mut heads = Vec::new();
    let mut cursor = None;
    loop {
        let page = runs.list(&filter, PAGE, cursor.as_deref()).await?;
        heads.extend(page.runs);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(heads);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_milliseconds_and_no_other() {
        let day: Day = "2026-11-28".parse().unwrap();
        let first = Timestamp(1_795_824_000_000);
        for (at, expected) in [(first.0 - 1, false), (first.0, true), (first.0 + DAY_MS, false)] {
            assert_eq!(day.contains(Timestamp(at)), expected, "{at}");
        }
        assert!(!day.is_over(Timestamp(first.0 + DAY_MS - 1)) && day.is_over(Timestamp(first.0 + DAY_MS)));
        assert_eq!(Day::before(first.plus_ms(DAY_MS)), Some(day));
        assert_eq!(Day::before(Timestamp(DAY_MS - 1)), None);
        assert_eq!(day.to_string(), "2026-11-28");
        for wrong in
            ["", "today", "2026-02-30", "28.11.2026", "1969-12-31", "2026-1-1", "2026-01-0", "2026-13-01", "x-y-z"]
        {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_follow_each_other_as_in_the_calendar() {
        let known = [
            ("1970-01-01", 0),
            ("1972-02-29", 789),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2100-03-01", 47_541),
        ];
        for (text, number) in known {
            assert_eq!((Day(number).to_string().as_str(), text.parse()), (text, Ok(Day(number))), "{text}");
        }
        for number in 0..80_000 {
            assert_eq!(Day(number).to_string().parse(), Ok(Day(number)));
        }
    }
}
