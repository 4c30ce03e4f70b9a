//! The places of connections, so many in all and for each peer. Who comes when all are taken gets the place of the connection that has waited longest
//! without a request, for [`PATIENCE`] at least: whoever holds connections for nothing keeps nobody out, and a burst is not cut off.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use hyper::body::{Bytes, Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;

/// How long a connection may wait for its request until its place can be another's.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// Why a connection gets no place: all are taken, and none has waited for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Those of all.
    All,
    /// Those of its peer.
    OfPeer,
}

/// The places of one server.
#[derive(Debug, Clone)]
pub(super) struct Places {
    most: usize,
    most_of_peer: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    seats: BTreeMap<u64, Seat>,
    of_peer: HashMap<IpAddr, usize>,
    /// Those without a request, in the order in which they began to wait, which a counter tells.
    waiting: BTreeSet<(u64, u64)>,
    waiting_of_peer: HashMap<IpAddr, BTreeSet<(u64, u64)>>,
    counter: u64,
}

#[derive(Debug)]
struct Seat {
    peer: IpAddr,
    /// Since when it waits, by the counter and by the clock; `None` while a request of it is answered.
    since: Option<(u64, Instant)>,
    given_up: Arc<Notify>,
}

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    id: u64,
    /// Tells the connection to end: its place is another's.
    pub given_up: Arc<Notify>,
}

/// A request that is answered: its connection does not wait until this is dropped.
#[derive(Debug)]
pub(super) struct Answering {
    places: Places,
    id: u64,
}

impl Places {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { most: limits.connections, most_of_peer: limits.peer_connections, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection of `peer`, and how many were given up for it.
    pub(super) fn take(&self, peer: IpAddr) -> Result<(Place, usize), Refused> {
        let mut taken = self.taken();
        let mut given_up = 0;
        if taken.of_peer.get(&peer).is_some_and(|count| *count >= self.most_of_peer) {
            let oldest = taken.waiting_of_peer.get(&peer).and_then(BTreeSet::first).copied();
            taken.give_up_late(oldest).ok_or(Refused::OfPeer)?;
            given_up += 1;
        }
        if taken.seats.len() >= self.most {
            let oldest = taken.waiting.first().copied();
            taken.give_up_late(oldest).ok_or(Refused::All)?;
            given_up += 1;
        }
        let id = taken.next();
        let notify = Arc::new(Notify::new());
        taken.seats.insert(id, Seat { peer, since: None, given_up: Arc::clone(&notify) });
        *taken.of_peer.entry(peer).or_default() += 1;
        taken.wait(id);
        drop(taken);
        Ok((Place { places: self.clone(), id, given_up: notify }, given_up))
    }
}

impl Taken {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn wait(&mut self, id: u64) {
        let since = self.next();
        let Some(seat) = self.seats.get_mut(&id) else { return };
        seat.since = Some((since, Instant::now()));
        self.waiting.insert((since, id));
        self.waiting_of_peer.entry(seat.peer).or_default().insert((since, id));
    }

    /// False if the place is another's by now.
    fn answer(&mut self, id: u64) -> bool {
        let Some(seat) = self.seats.get_mut(&id) else { return false };
        if let Some((since, _)) = seat.since.take() {
            let peer = seat.peer;
            self.forget_waiting(peer, (since, id));
        }
        true
    }

    fn forget_waiting(&mut self, peer: IpAddr, waiting: (u64, u64)) {
        self.waiting.remove(&waiting);
        if let Some(of_peer) = self.waiting_of_peer.get_mut(&peer) {
            of_peer.remove(&waiting);
            if of_peer.is_empty() {
                self.waiting_of_peer.remove(&peer);
            }
        }
    }

    fn remove(&mut self, id: u64) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        if let Some((since, _)) = seat.since {
            self.forget_waiting(seat.peer, (since, id));
        }
        if let Some(count) = self.of_peer.get_mut(&seat.peer) {
            *count -= 1;
            if *count == 0 {
                self.of_peer.remove(&seat.peer);
            }
        }
        Some(seat)
    }

    /// Gives up the place of the oldest one that waits, if there is one and it has waited for long.
    fn give_up_late(&mut self, oldest: Option<(u64, u64)>) -> Option<()> {
        let (_, id) = oldest?;
        self.seats.get(&id)?.since.filter(|(_, since)| since.elapsed() >= PATIENCE)?;
        self.remove(id)?.given_up.notify_one();
        Some(())
    }
}

impl Place {
    /// Who counts the requests of this connection.
    pub(super) fn requests(&self) -> Requests {
        Requests { places: self.places.clone(), id: self.id }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.taken().remove(self.id);
    }
}

/// Counts the requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    places: Places,
    id: u64,
}

impl Requests {
    /// A request has come; `None` if the connection's place is another's by now.
    pub(super) fn begin(&self) -> Option<Answering> {
        let is_there = self.places.taken().answer(self.id);
        is_there.then(|| Answering { places: self.places.clone(), id: self.id })
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.places.taken().wait(self.id);
    }
}

/// A body whose request is answered until it has ended.
pub(super) fn answering(body: Body, answering: Answering) -> Body {
    Body::new(Held { body, _answering: answering })
}

struct Held {
    body: Body,
    _answering: Answering,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    fn places(most: usize, most_of_peer: usize) -> Places {
        let limits = Limits { connections: most, peer_connections: most_of_peer, in_flight: 1, head: Duration::ZERO };
        Places::new(&limits)
    }

    async fn is_given_up(place: &Place) -> bool {
        tokio::time::timeout(Duration::ZERO, place.given_up.notified()).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_when_all_are_taken_gets_the_place_that_waits_longest() {
        let places = places(2, 2);
        let (first, _) = places.take(PEER).unwrap();
        let (second, _) = places.take(PEER).unwrap();
        // The first one has had an answer since the second one came.
        drop(first.requests().begin().unwrap());
        assert_eq!(places.take(OTHER).unwrap_err(), Refused::All, "nobody has waited for long");
        tokio::time::advance(PATIENCE).await;
        let (_third, given_up) = places.take(OTHER).unwrap();
        assert_eq!(given_up, 1);
        assert!(is_given_up(&second).await && !is_given_up(&first).await);
        assert!(second.requests().begin().is_none(), "a request that comes too late is not answered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_answered_keeps_its_place() {
        let places = places(2, 1);
        let (first, _) = places.take(PEER).unwrap();
        let answering = first.requests().begin().unwrap();
        assert_eq!(places.take(PEER).unwrap_err(), Refused::OfPeer);
        let (second, _) = places.take(OTHER).unwrap();
        let other = second.requests().begin().unwrap();
        assert_eq!(places.take(IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 3))).unwrap_err(), Refused::All);
        drop(answering);
        tokio::time::advance(PATIENCE).await;
        assert_eq!(places.take(PEER).unwrap().1, 1, "its peer's own waiting one goes");
        assert!(is_given_up(&first).await && !is_given_up(&second).await);
        drop(other);
    }

    #[test]
    fn what_is_over_leaves_nothing() {
        let places = places(10, 10);
        let held: Vec<_> = (0..10).map(|_| places.take(PEER).unwrap().0).collect();
        drop(held[0].requests().begin().unwrap());
        drop(held);
        let taken = places.taken();
        assert!(taken.seats.is_empty() && taken.waiting.is_empty());
        assert!(taken.of_peer.is_empty() && taken.waiting_of_peer.is_empty());
    }
}
