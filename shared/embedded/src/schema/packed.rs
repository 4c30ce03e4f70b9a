//! Version 7: packed commits and messages, and no index that only garbage collection reads.

/// `packed` has the events of a commit, and `events` is empty, wherever that is shorter; so has a command its body. What earlier
/// builds wrote stays. An index by
/// the time of a row's end took a page of its own in most writes, and was read once an hour.
pub(super) const UP: &str = "
ALTER TABLE event_commit ADD COLUMN packed BLOB;
ALTER TABLE message ADD COLUMN packed BLOB;
ALTER TABLE dead_letter ADD COLUMN packed BLOB;
DROP INDEX claim_lease;
DROP INDEX cooldown_until;
DROP INDEX dedupe_until;
";
