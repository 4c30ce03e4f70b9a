//! Version 7: packed commits, and no index that only garbage collection reads.

/// `packed` has the events of a commit, and `events` is empty, wherever that is shorter; the commits of earlier builds stay as they are. An index by
/// the time of a row's end took a page of its own in most writes, and was read once an hour.
pub(super) const UP: &str = "
ALTER TABLE event_commit ADD COLUMN packed BLOB;
DROP INDEX claim_lease;
DROP INDEX cooldown_until;
DROP INDEX dedupe_until;
";
