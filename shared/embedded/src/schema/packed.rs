//! Version 7: packed commits and commands, and no index that only garbage collection reads.

/// Wherever it is shorter, `packed` has the events of a commit or the body of a command, and the column of the plain text is empty. What earlier builds
/// wrote stays as it is. An index by the time of a row's end took a page of its own in most writes, and was read once an hour.
pub(super) const UP: &str = "
ALTER TABLE event_commit ADD COLUMN packed BLOB;
ALTER TABLE message ADD COLUMN packed BLOB;
ALTER TABLE dead_letter ADD COLUMN packed BLOB;
DROP INDEX claim_lease;
DROP INDEX cooldown_until;
DROP INDEX dedupe_until;
";
