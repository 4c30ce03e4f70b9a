//! The kill switch.

/// One row per halt, whole as JSON; and what holds each run, found by its holder.
pub(super) const UP: &str = "
CREATE TABLE halt (
    id TEXT NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX halt_until ON halt (until);

ALTER TABLE run ADD COLUMN held_by TEXT;
CREATE INDEX run_held ON run (held_by, run_id) WHERE live = 1 AND held_by IS NOT NULL;
";
