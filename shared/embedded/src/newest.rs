//! The newest time in the store: a floor for the clock of the next process.

use heal_runtime::Timestamp;
use heal_runtime::port::Result;

use crate::column::optional_moment;
use crate::store::Store;

impl Store {
    /// When a run that ended, or that waits for a time, was last written; `None` without such a run. A clock that is behind this time was put back.
    ///
    /// # Errors
    /// As every port.
    pub async fn newest(&self) -> Result<Option<Timestamp>> {
        // Each half reads the end of one index: that of ended runs, and that of due ones. With a condition on what it found, SQLite would read all of it.
        let sql = "SELECT max(newest) FROM (SELECT max(updated_at) AS newest FROM run WHERE live = 0
                   UNION ALL SELECT max(updated_at) FROM run WHERE live = 1 AND wake_at IS NOT NULL)";
        self.read("store.newest", move |connection| Ok(connection.query_row(sql, [], |row| optional_moment(row, 0))?))
            .await
    }
}
