//! Every limit, with its unit and its reason.

/// Bytes of one delivery: a group of 2,000 alerts of half a kilobyte.
pub const DELIVERY_BYTES: usize = 1024 * 1024;
/// Alerts of one delivery. A sender that groups more splits its groups, such as by `max_alerts` of Alertmanager.
pub const ALERTS: usize = 2_000;
/// Rules of a mapping file.
pub const RULES: usize = 200;
/// Labels that one rule compares.
pub const MATCHES: usize = 20;
/// Texts that one label may have in a rule.
pub const MATCH_TEXTS: usize = 50;
/// Fields of an incident.
pub const FIELDS: usize = 64;
/// Characters of the part of an incident's id that comes from the alert; a longer one is replaced by its hash.
pub const FINGERPRINT_CHARACTERS: usize = 160;
/// Secrets of a source: the current one, and those that it replaces.
pub const SECRETS: usize = 4;
/// Bytes of the shortest secret: what is shorter can be guessed.
pub const SECRET_BYTES_LEAST: usize = 16;
/// Seconds that the time of a signed delivery may be away from ours, by default.
pub const WINDOW_SECONDS: u64 = 300;
/// Seconds of the longest window.
pub const WINDOW_SECONDS_MOST: u64 = 3_600;
/// Faults of one incident that are written into it.
pub const FAULTS: usize = 20;
