//! How many requests a peer and a caller may send.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota};

use super::Peer;
use super::refusal::{Reason, Refusal};

/// Requests per second of one caller by default, over a longer time.
pub const REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);
/// The most that can be set.
pub const MAX_REQUESTS_PER_SECOND: u32 = 1_000_000;
/// A peer may have several callers behind it: it may send so many times as many requests as one.
const PEER_SHARE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// Seconds of a caller's rate that a peer or caller may send at once, before the rate holds.
const BURST_SECONDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(3);
/// Peers, and callers, that are remembered before those that are quiet are forgotten.
const REMEMBERED: usize = 10_000;
/// Whole groups of an IPv6 address that one customer of a provider has: a /64 network.
const NETWORK_GROUPS: usize = 4;

/// How many requests a second one caller may send, over a longer time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallerRate(NonZeroU32);

impl CallerRate {
    /// `None` if it is not from 1 to [`MAX_REQUESTS_PER_SECOND`].
    pub fn new(requests_per_second: u64) -> Option<Self> {
        let rate = u32::try_from(requests_per_second).ok().filter(|rate| *rate <= MAX_REQUESTS_PER_SECOND)?;
        NonZeroU32::new(rate).map(Self)
    }

    /// Requests per second of one peer.
    const fn of_peer(self) -> NonZeroU32 {
        self.0.saturating_mul(PEER_SHARE)
    }

    /// Requests of one peer or caller at once.
    const fn burst(self) -> NonZeroU32 {
        self.0.saturating_mul(BURST_SECONDS)
    }
}

impl Default for CallerRate {
    fn default() -> Self {
        Self(REQUESTS_PER_SECOND)
    }
}

/// The rates of peers and callers.
pub(super) struct Rates {
    rate: CallerRate,
    peers: DefaultKeyedRateLimiter<IpAddr>,
    callers: DefaultKeyedRateLimiter<String>,
}

impl Rates {
    pub(super) fn new(rate: CallerRate) -> Self {
        let quota = |per_second| Quota::per_second(per_second).allow_burst(rate.burst());
        let (peers, callers) = (quota(rate.of_peer()), quota(rate.0));
        Self { rate, peers: DefaultKeyedRateLimiter::keyed(peers), callers: DefaultKeyedRateLimiter::keyed(callers) }
    }

    /// A request without a peer came through no server of ours, which bounds it itself.
    pub(super) fn check_peer(&self, peer: Option<Peer>) -> Result<(), Refusal> {
        let Some(Peer(address)) = peer else { return Ok(()) };
        if self.peers.len() > REMEMBERED {
            self.peers.retain_recent();
        }
        self.peers.check_key(&network(address)).map_err(|_| {
            let message = format!("more than {} requests per second from {address}", self.rate.of_peer());
            Refusal::new(Reason::Rate, message)
        })
    }

    pub(super) fn check_identity(&self, identity: &str) -> Result<(), Refusal> {
        if self.callers.len() > REMEMBERED {
            self.callers.retain_recent();
        }
        self.callers.check_key(&identity.to_owned()).map_err(|_| {
            let message = format!("more than {} requests per second by {identity}", self.rate.0);
            Refusal::new(Reason::Rate, message)
        })
    }
}

/// The address, or its network: one customer has all addresses of an IPv6 network.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let mut groups = address.segments();
            groups.iter_mut().skip(NETWORK_GROUPS).for_each(|group| *group = 0);
            IpAddr::V6(Ipv6Addr::from(groups))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests of one caller that are let through at once.
    fn admitted(rates: &Rates, of: u32) -> u32 {
        (0..of).map(|_| u32::from(rates.check_identity("token:ci").is_ok())).sum()
    }

    #[test]
    fn a_caller_that_is_too_fast_is_refused_and_others_are_not() {
        let (rates, burst) = (Rates::new(CallerRate::default()), CallerRate::default().burst().get());
        assert!((burst..burst + 200).contains(&admitted(&rates, burst + 200)));
        assert_eq!(rates.check_identity("token:ci").map_err(|refusal| refusal.reason), Err(Reason::Rate));
        assert_eq!(rates.check_identity("token:other"), Ok(()));
    }

    #[test]
    fn the_rate_is_what_is_configured() {
        let rates = Rates::new(CallerRate::new(1).unwrap());
        assert!((4..8).contains(&admitted(&rates, 8)));
        let refusal = rates.check_identity("token:ci").unwrap_err();
        assert_eq!(refusal.message, "more than 1 requests per second by token:ci");
        assert_eq!(CallerRate::new(0), None);
        assert_eq!(CallerRate::new(u64::from(MAX_REQUESTS_PER_SECOND) + 1), None);
    }

    #[test]
    fn the_addresses_of_one_network_are_one_peer() {
        let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
        assert!(same("::ffff:192.0.2.1", "192.0.2.1"));
        assert!(!same("192.0.2.1", "192.0.2.2"));
    }
}
