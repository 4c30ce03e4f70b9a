//! A day, and the runs that ended on it.

use std::str::FromStr;

use futures_util::{StreamExt as _, stream};
use heal_engine::chain::{self, RunEnd};
use heal_engine::{RunId, Timestamp};
use heal_runtime::port::{RunFilter, RunHead, RunReader};

const DAY_MS: u64 = 86_400_000;
/// Runs of one query.
const PAGE: usize = 200;
/// Logs that are read at the same time.
const READS: usize = 16;
/// Days before a day from which the runs are examined that ended on it. A run that took longer, since people held it, is in no head.
const LONGEST_RUN_DAYS: u64 = 31;

/// A day in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    date: jiff::civil::Date,
    /// The day's first millisecond.
    first: Timestamp,
}

impl FromStr for Day {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is not a day since 1970, expected one such as 2026-11-28");
        let date: jiff::civil::Date = text.parse().map_err(|_| expected())?;
        let first = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| expected())?.timestamp().as_millisecond();
        Ok(Self { date, first: Timestamp(u64::try_from(first).map_err(|_| expected())?) })
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.date.fmt(f)
    }
}

impl Day {
    /// The last day that is over at `now`.
    pub(super) fn before(now: Timestamp) -> Option<Self> {
        let yesterday = i64::try_from(now.0.checked_sub(DAY_MS)?).ok()?;
        let time = jiff::Timestamp::from_millisecond(yesterday).ok()?;
        time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string().parse().ok()
    }

    pub(super) const fn is_over(self, now: Timestamp) -> bool {
        now.0 >= self.first.plus_ms(DAY_MS).0
    }

    const fn contains(self, at: Timestamp) -> bool {
        at.0 >= self.first.0 && at.0 < self.first.plus_ms(DAY_MS).0
    }

    /// The runs that ended on this day.
    ///
    /// # Errors
    /// A log cannot be read; names its run.
    pub(super) async fn ends(self, runs: &dyn RunReader) -> anyhow::Result<Vec<RunEnd>> {
        let since = Timestamp(self.first.0.saturating_sub(LONGEST_RUN_DAYS * DAY_MS));
        let heads = list(runs, Some(since)).await?;
        // An ended run may have been added to since.
        let ended = heads.into_iter().filter(|head| head.status.is_terminal() && head.updated_at >= self.first);
        let read = |head: RunHead| async move { end(runs, &head.run_id).await };
        let ends: Vec<_> = stream::iter(ended).map(read).buffered(READS).collect().await;
        let ends = ends.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
        Ok(ends.into_iter().flatten().filter(|end| self.contains(end.at)).collect())
    }
}

async fn end(runs: &dyn RunReader, run_id: &RunId) -> anyhow::Result<Option<RunEnd>> {
    let stored = runs.stored(run_id).await;
    let stored = stored.map_err(|error| anyhow::anyhow!("failed to read the log of run {run_id}: {error}"))?;
    Ok(chain::end(&stored))
}

/// All runs that started at or after `since`.
pub(super) async fn list(runs: &dyn RunReader, since: Option<Timestamp>) -> anyhow::Result<Vec<RunHead>> {
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
        assert_eq!(day.first, Timestamp(1_795_824_000_000));
        for (at, expected) in [(day.first.0 - 1, false), (day.first.0, true), (day.first.0 + DAY_MS, false)] {
            assert_eq!(day.contains(Timestamp(at)), expected, "{at}");
        }
        assert!(!day.is_over(Timestamp(day.first.0 + DAY_MS - 1)) && day.is_over(Timestamp(day.first.0 + DAY_MS)));
        assert_eq!(Day::before(day.first.plus_ms(DAY_MS)), Some(day));
        assert_eq!(day.to_string(), "2026-11-28");
        for wrong in ["", "today", "2026-02-30", "28.11.2026", "1969-12-31"] {
            assert!(wrong.parse::<Day>().is_err(), "{wrong}");
        }
    }
}
