//! The migration that adds the counts of repeated runs.

/// Needs no other table.
pub(super) const UP: &str = "
CREATE TABLE repeated (
    key TEXT NOT NULL PRIMARY KEY,
    counter TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX repeated_until ON repeated (until);
";
