//! The HTTP server: accepts connections and requests within bounds.
//!
//! Every wait for a client has an end: for the head of a request ([`Limits::head`]), which bounds idle connections too, and for the whole
//! request, which the router bounds. What exceeds a bound is closed or answered 503 at once, and counted. A connection without a request gives its
//! place up where another one needs it.

mod places;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tower::ServiceExt as _;

use crate::doors::{Peer, Reason, Refusals, network};
use crate::problem::Problem;
use places::{Place, Places, Refused, Requests};

/// Connections in all.
pub const CONNECTIONS: usize = 8_192;
/// Connections of one peer: a proxy in front is one peer. Of few, three quarters of all.
pub const PEER_CONNECTIONS: usize = 2_048;
/// Descriptors that stay free of connections: for the state file, and for calls of other services. Of few descriptors, three quarters.
pub const OWN_DESCRIPTORS: usize = 256;
/// Requests in flight: those that are answered, or wait for news of a run.
pub const IN_FLIGHT: usize = 1_024;
/// Longest time from the beginning of a connection, or the end of a response, to the end of the next request's head.
pub const HEAD: Duration = Duration::from_secs(15);
/// Bytes of a request's head, and of the buffer of a connection.
pub const HEAD_BYTES: usize = 16 * 1024;
/// Header fields of a request.
pub const HEADERS: usize = 64;
/// How long the server waits after a failed accept, which means that descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often the server looks for a place while all are taken.
const PLACE_PAUSE: Duration = Duration::from_millis(10);
/// Where the system says how many descriptors this process may have.
const LIMITS_FILE: &str = "/proc/self/limits";

/// The bounds of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections in all.
    pub connections: usize,
    /// Connections of one peer.
    pub peer_connections: usize,
    /// Requests in flight.
    pub in_flight: usize,
    /// Longest time for the head of a request, and longest idle time.
    pub head: Duration,
}

impl Limits {
    /// The bounds of this module, lowered to what the process may open.
    pub fn of_process() -> Self {
        let connections = Descriptors::of_process().map_or(CONNECTIONS, |own| CONNECTIONS.min(own.for_connections()));
        let peer_connections = PEER_CONNECTIONS.min(connections - connections / 4);
        Self { connections, peer_connections, in_flight: IN_FLIGHT, head: HEAD }
    }
}

/// How many descriptors this process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptors(pub usize);

impl Descriptors {
    /// The soft limit of this process; `None` on a system that does not say.
    pub fn of_process() -> Option<Self> {
        Self::read(&std::fs::read_to_string(LIMITS_FILE).ok()?)
    }

    /// From `Max open files            1024                 524288               files`.
    fn read(limits: &str) -> Option<Self> {
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
        line.split_whitespace().next()?.parse().ok().map(Self)
    }

    /// Those that no connection takes.
    pub const fn for_own_work(self) -> usize {
        let most = self.0 - self.0 / 4;
        if most < OWN_DESCRIPTORS { most } else { OWN_DESCRIPTORS }
    }

    /// Those that connections may take; at least one.
    pub const fn for_connections(self) -> usize {
        let rest = self.0 - self.for_own_work();
        if rest == 0 { 1 } else { rest }
    }

    /// Whether the own work has what it needs under load.
    pub const fn are_enough(self) -> bool {
        self.for_own_work() == OWN_DESCRIPTORS
    }
}

/// Serves `router` until `stop`, then until the open requests have ended or `grace` has passed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    refusals: Arc<Refusals>,
    stop: impl Future<Output = ()>,
    grace: Duration,
) {
    let (stop_sender, stopping) = watch::channel(false);
    let server = Server {
        router,
        limits,
        places: Places::new(&limits),
        in_flight: Arc::new(Semaphore::new(limits.in_flight)),
        refusals,
    };
    let (mut open, mut full_since) = (JoinSet::new(), None);
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    if let Some(place) = server.admit(address.ip(), &mut full_since).await {
                        open.spawn(server.connection(stream, address.ip(), place, stopping.clone()));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = open.join_next() => {}
        }
    }
    drop(listener);
    tracing::info!("stopping");
    let _ = stop_sender.send(true);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(grace, all).await.is_err() {
        tracing::warn!("requests were still in flight at the end of the time to stop");
    }
}

struct Server {
    router: Router,
    limits: Limits,
    places: Places,
    in_flight: Arc<Semaphore>,
    refusals: Arc<Refusals>,
}

impl Server {
    /// A place for a connection from `address`; without one, it is closed. Once all are taken, this one waits for a moment and the next ones in the
    /// system's queue, so that a burst is answered one after the other. While all have been taken for longer, none waits.
    async fn admit(&self, address: IpAddr, full_since: &mut Option<Instant>) -> Option<Place> {
        let taken = loop {
            let taken = self.places.take(network(address));
            if taken.as_ref().err() != Some(&Refused::All) {
                *full_since = None;
                break taken;
            }
            if full_since.get_or_insert_with(Instant::now).elapsed() >= places::PATIENCE {
                break taken;
            }
            tokio::time::sleep(PLACE_PAUSE).await;
        };
        match taken {
            Ok((place, 0)) => Some(place),
            Ok((place, _)) => {
                let message = format!("a connection without a request, for one from {address}: all places are taken");
                self.refusals.note(Reason::Connections, &message);
                Some(place)
            }
            Err(Refused::All) => {
                let message = format!("a connection from {address}: {} connections are open", self.limits.connections);
                self.refusals.note(Reason::Connections, &message);
                None
            }
            Err(Refused::OfPeer) => {
                let message = format!("a connection from {address}, which has {} open", self.limits.peer_connections);
                self.refusals.note(Reason::PeerConnections, &message);
                None
            }
        }
    }

    /// One connection, until it ends.
    fn connection(
        &self,
        stream: TcpStream,
        address: IpAddr,
        place: Place,
        mut stopping: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + use<> {
        // Without this, small responses wait 40 ms for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let (router, in_flight, refusals) =
            (self.router.clone(), Arc::clone(&self.in_flight), Arc::clone(&self.refusals));
        let head = self.limits.head;
        async move {
            let given_up = Arc::clone(&place.given_up);
            // A connection that says nothing gets no buffers: thousands of them would fill the memory.
            tokio::select! {
                ready = tokio::time::timeout(head, stream.readable()) => if !matches!(ready, Ok(Ok(()))) { return },
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = given_up.notified() => return,
            }
            let desk = Desk { router, in_flight, refusals, requests: place.requests(), address };
            tokio::select! {
                () = Box::pin(converse(stream, desk, head, stopping)) => {}
                () = given_up.notified() => {}
            }
            drop(place);
        }
    }
}

/// What one connection's requests are answered with.
#[derive(Clone)]
struct Desk {
    router: Router,
    in_flight: Arc<Semaphore>,
    refusals: Arc<Refusals>,
    requests: Requests,
    address: IpAddr,
}

/// The requests of one connection, until it ends.
async fn converse(stream: TcpStream, desk: Desk, head: Duration, mut stopping: watch::Receiver<bool>) {
    let service = tower::service_fn(move |request: Request<Incoming>| answer(desk.clone(), request));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head).max_buf_size(HEAD_BYTES).max_headers(HEADERS);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // An error is the client's: it went away, or was too slow.
        _ = &mut connection => return,
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

async fn answer(desk: Desk, request: Request<Incoming>) -> Result<Response, std::convert::Infallible> {
    let Desk { router, in_flight, refusals, requests, address } = desk;
    let busy = |message| Ok(Problem::new(StatusCode::SERVICE_UNAVAILABLE, message).into_response());
    let Some(answering) = requests.begin() else { return busy("this connection is given up for another one") };
    let Ok(_place) = in_flight.try_acquire() else {
        let message = "too many requests are in flight";
        refusals.note(Reason::Busy, message);
        return busy(message);
    };
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(Peer(address));
    let response = router.oneshot(request).await?;
    Ok(response.map(|body| places::answering(body, answering)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connections_leave_descriptors_for_the_own_work() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max cpu time              unlimited            unlimited            seconds   \n\
                    Max open files            1024                 524288               files     \n";
        let usual = Descriptors::read(text).unwrap();
        assert_eq!((usual.for_own_work(), usual.for_connections(), usual.are_enough()), (256, 768, true));
        let few = Descriptors(64);
        assert_eq!((few.for_own_work(), few.for_connections(), few.are_enough()), (48, 16, false));
        assert_eq!(Descriptors(0).for_connections(), 1);
        assert_eq!(Descriptors::read(""), None);
        let limits = Limits::of_process();
        assert!(limits.connections >= 1 && limits.connections <= CONNECTIONS);
        assert!(limits.peer_connections <= limits.connections);
    }
}
