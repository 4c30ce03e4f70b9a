//! The column of the earlier levels of autonomy.

/// The levels before the stored one, the newest first, as JSON.
pub(super) const UP: &str = "
ALTER TABLE autonomy ADD COLUMN history TEXT NOT NULL DEFAULT '[]';
";
