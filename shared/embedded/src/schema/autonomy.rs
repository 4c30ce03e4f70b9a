//! The table of the levels of autonomy.

/// One row per playbook that somebody has set a level for.
pub(super) const UP: &str = "
CREATE TABLE autonomy (
    playbook TEXT NOT NULL PRIMARY KEY,
    level TEXT NOT NULL,
    set_by TEXT NOT NULL,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
";
