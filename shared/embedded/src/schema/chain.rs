//! The audit chain of each commit, in hexadecimal; earlier builds wrote none.

pub(super) const UP: &str = "
ALTER TABLE event_commit ADD COLUMN chain TEXT;
";
