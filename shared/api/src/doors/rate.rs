//! How many requests a peer and a caller may send.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota};

use super::Peer;
use super::refusal::{Reason, Refusal};

/// Requests per second of one peer, over a longer time.
pub const PEER_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);
/// Requests per second of one caller, over a longer time.
pub const CALLER_REQUESTS_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(499);
/// Requests of one peer or caller at once, before the rate holds.
pub const BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(1_999);
/// Peers, and callers, that are remembered before those that are quiet are forgotten.
const REMEMBERED: usize = 10_000;
/// Whole groups of an IPv6 address that one customer of a provider has: a /64 network.
const NETWORK_GROUPS: usize = 4;

/// The rates of peers and callers.
pub(super) struct Rates {
    peers: DefaultKeyedRateLimiter<IpAddr>,
    callers: DefaultKeyedRateLimiter<String>,
}

impl Rates {
    pub(super) fn new() -> Self {
        Self {
            peers: DefaultKeyedRateLimiter::keyed(Quota::per_second(PEER_REQUESTS_PER_SECOND).allow_burst(BURST)),
            callers: DefaultKeyedRateLimiter::keyed(Quota::per_second(CALLER_REQUESTS_PER_SECOND).allow_burst(BURST)),
        }
    }

    /// A request without a peer came through no server of ours, which bounds it itself.
    pub(super) fn check_peer(&self, peer: Option<Peer>) -> Result<(), Refusal> {
        let Some(Peer(address)) = peer else { return Ok(()) };
        if self.peers.len() > REMEMBERED {
            self.peers.retain_recent();
        }
        self.peers.check_key(&network(address)).map_err(|_| {
            let message = format!("more than {PEER_REQUESTS_PER_SECOND} requests per second from {address}");
            Refusal::new(Reason::Rate, message)
        })
    }

    pub(super) fn check_identity(&self, identity: &str) -> Result<(), Refusal> {
        if self.callers.len() > REMEMBERED {
            self.callers.retain_recent();
        }
        self.callers.check_key(&identity.to_owned()).map_err(|_| {
            let message = format!("more than {CALLER_REQUESTS_PER_SECOND} requests per second by {identity}");
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

    #[test]
    fn a_caller_that_is_too_fast_is_refused_and_others_are_not() {
        let rates = Rates::new();
        let admitted = (0..BURST.get() + 200).filter(|_| rates.check_identity("token:ci").is_ok()).count();
        let burst = BURST.get() as usize;
        assert!((burst..burst + 200).contains(&admitted), "{admitted}");
        assert_eq!(rates.check_identity("token:ci").map_err(|refusal| refusal.reason), Err(Reason::Rate));
        assert_eq!(rates.check_identity("token:other"), Ok(()));
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
