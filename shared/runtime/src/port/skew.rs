//! Stored times that a wrong clock wrote.
//!
//! A clock that ran a year ahead and was put right leaves reservations that would last for a year. Such a time is put right where it is met: what
//! it begins lasts its own length from then on, and no longer. The store writes that down, so that the end comes nearer.

use heal_engine::Timestamp;

use super::ClaimRequest;

/// Milliseconds by which a stored time may be ahead of its reader's clock, since clocks of different machines differ: what is further ahead was
/// written by a clock that was wrong.
pub const CLOCK_SKEW_MS: u64 = 60_000;

/// Begin and end of a reservation that was made in the future, as if it were made now; `None` if its times are right.
pub fn reservation_put_right(since: Timestamp, until: Timestamp, now: Timestamp) -> Option<(Timestamp, Timestamp)> {
    let is_wrong = since > now.plus_ms(CLOCK_SKEW_MS);
    is_wrong.then(|| (now, now.plus_ms(until.since_ms(since))))
}

/// The end of another owner's lease that ends later than a lease can; `None` if it is right. A lease that `request` takes is as long as any.
pub fn lease_put_right(lease_until: Timestamp, request: &ClaimRequest) -> Option<Timestamp> {
    (lease_until > request.lease_until.plus_ms(CLOCK_SKEW_MS)).then_some(request.lease_until)
}

/// Whether `at` is a time that can have passed at `now`.
pub fn has_passed(at: Timestamp, now: Timestamp) -> bool {
    at <= now.plus_ms(CLOCK_SKEW_MS)
}
