//! The budgets' tables. A row of `budget` has the places of one counter as JSON, up to 50 KB, so the rows are not in the index.

/// One row per counter; what a claim's owner asked for places in, as JSON.
pub(super) const UP: &str = "
CREATE TABLE budget (
    name TEXT NOT NULL,
    key TEXT NOT NULL,
    until INTEGER NOT NULL,
    places TEXT NOT NULL,
    UNIQUE (name, key)
) STRICT;
CREATE INDEX budget_until ON budget (until);

ALTER TABLE claim ADD COLUMN asked TEXT NOT NULL DEFAULT '[]';
";
