//! Cooldowns in the order of their reservation.

/// By their targets' names each had a page of its own; the index of the names has shorter rows, so it changes fewer pages.
pub(super) const UP: &str = "
CREATE TABLE cooldown_by_time (
    no INTEGER PRIMARY KEY,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    reserved_at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    by_action TEXT,
    by_attempt TEXT,
    before_at INTEGER,
    before_until INTEGER,
    UNIQUE (target, action)
) STRICT;
INSERT INTO cooldown_by_time (action, target, reserved_at, until, by_action, by_attempt, before_at, before_until)
SELECT action, target, reserved_at, until, by_action, by_attempt, before_at, before_until FROM cooldown ORDER BY reserved_at;
DROP TABLE cooldown;
ALTER TABLE cooldown_by_time RENAME TO cooldown;
CREATE INDEX cooldown_until ON cooldown (until);
";
