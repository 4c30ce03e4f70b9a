//! When the write-ahead log is taken over into the file.

use rusqlite::Connection;
use rusqlite::hooks::Wal;

use crate::limit;

/// Has `connection` take the log over after its commits, instead of SQLite's own rule: that tries again after every commit for as long as a reader keeps
/// the log from beginning anew, and each try sorts the whole log.
///
/// # Errors
/// The connection is in use.
pub(crate) fn schedule(connection: &mut Connection) -> rusqlite::Result<()> {
    let mut schedule = Schedule::default();
    connection.wal_hook(Some(move |log: &mut Wal, pages| {
        if schedule.is_due(u32::try_from(pages).unwrap_or(0)) {
            // The commit is done, and does not fail because of it; a later one tries again, as by SQLite's own rule.
            let _ = log.checkpoint();
        }
        Ok(())
    }))
}

#[derive(Debug, Default)]
struct Schedule {
    /// Pages in the log at which it is due; 0 before the first time.
    next: u32,
}

impl Schedule {
    /// Whether the log is taken over now that it has so many pages.
    fn is_due(&mut self, pages: u32) -> bool {
        if pages < limit::CHECKPOINT_PAGES {
            self.next = 0;
        }
        let is_due = pages >= limit::CHECKPOINT_PAGES && pages >= self.next;
        if is_due {
            self.next = pages.saturating_add(limit::CHECKPOINT_AGAIN_PAGES);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_taken_over_when_it_is_long_and_again_when_it_has_grown_or_begun_anew() {
        let (long, again) = (limit::CHECKPOINT_PAGES, limit::CHECKPOINT_AGAIN_PAGES);
        let mut schedule = Schedule::default();
        for (pages, is_due) in [
            (1, false),
            (long - 1, false),
            (long + 5, true),
            // A reader holds it.
            (long + 6, false),
            (long + 4 + again, false),
            (long + 5 + again, true),
            (long + 6 + again, false),
            // It has begun anew.
            (3, false),
            (long, true),
            (long + 1, false),
        ] {
            assert_eq!(schedule.is_due(pages), is_due, "{pages}");
        }
    }
}
