//! How much of the server one peer can hold.

use std::time::Duration;

use tokio::time::Instant;

use heal_api::doors::access::Access;
use heal_api::server::{HEADERS, Limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::site::{LIMITS, Site, answer};

/// Far more than the server needs on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const QUICK: Limits = Limits { head: Duration::from_millis(200), ..LIMITS };

async fn trial(limits: Limits) -> Site {
    Site::start(limits, |access| *access = Access::default()).await
}

/// Whether the server closes the connection; what it still sends is read.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    match tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await {
        Ok(Ok(_) | Err(_)) => true,
        Err(_) => false,
    }
}

#[tokio::test]
async fn an_idle_connection_and_a_slow_head_are_closed() {
    let site = trial(QUICK).await;
    let mut idle = TcpStream::connect(site.address).await.unwrap();
    let mut slow = TcpStream::connect(site.address).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: local").await.unwrap();
    let mut kept = TcpStream::connect(site.address).await.unwrap();
    kept.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    assert!(is_closed(&mut idle).await, "idle");
    assert!(is_closed(&mut slow).await, "slow");
    assert!(is_closed(&mut kept).await, "idle after a response");
}

#[tokio::test]
async fn a_head_with_too_many_fields_or_bytes_is_refused() {
    let site = trial(LIMITS).await;
    let fields =
        |count: usize| (0..count).fold(site.get("/health"), |request, index| request.header(format!("x-{index}"), "y"));
    assert_eq!(answer(fields(HEADERS - 10)).await.0, 200);
    for request in [fields(HEADERS + 1), site.get("/health").header("x", "y".repeat(17_000))] {
        // The server closes without reading the rest, so the answer may get lost on the way.
        let status = request.send().await.map_or(431, |response| response.status().as_u16());
        assert_eq!(status, 431);
    }
}

/// The status, if there is an answer.
async fn answer_of(request: reqwest::RequestBuilder) -> Option<u16> {
    request.send().await.ok().map(|response| response.status().as_u16())
}

/// A connection from `address` on which a request is answered for as long as the test wants.
async fn stream_from(site: &Site, address: &str) -> TcpStream {
    let mut stream = connect_from(site, address).await;
    stream.write_all(b"GET /api/v1/runs/r/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    stream
}

async fn connect_from(site: &Site, address: &str) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(site.address).await.unwrap()
}

#[tokio::test]
async fn connections_that_wait_keep_nobody_out() {
    let limits = Limits { connections: 7, peer_connections: 4, ..LIMITS };
    let site = trial(limits).await;
    let mut idle = Vec::new();
    for address in ["127.0.0.2", "127.0.0.3"] {
        for _ in 0..4 {
            idle.push(connect_from(&site, address).await);
        }
    }
    // All places are taken, those of the first address too. One's own give way once they have waited for a second.
    let until = Instant::now() + PATIENCE;
    while answer_of(http_from("127.0.0.2").get(site.url("/health"))).await != Some(200) {
        assert!(Instant::now() < until, "a peer's idle connections keep its own out");
    }
    for address in ["127.0.0.2", "127.0.0.4"] {
        let health = http_from(address).get(site.url("/health"));
        assert_eq!(answer(health).await.0, 200, "{address}");
    }
    assert!(site.refused("connections") >= 2);
    let mut first = idle.remove(0);
    assert!(is_closed(&mut first).await, "what waits longest goes");
}

#[tokio::test]
async fn a_peer_whose_requests_are_answered_gets_its_share_and_others_get_theirs() {
    let limits = Limits { connections: 7, peer_connections: 4, ..LIMITS };
    let site = trial(limits).await;
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(stream_from(&site, "127.0.0.2").await);
    }
    let until = Instant::now() + PATIENCE;
    while site.refused("peer_connections") == 0 {
        assert!(Instant::now() < until, "one peer gets more than its share");
        drop(connect_from(&site, "127.0.0.2").await);
        tokio::task::yield_now().await;
    }
    assert_eq!(answer(http_from("127.0.0.3").get(site.url("/health"))).await.0, 200);
}

fn http_from(address: &str) -> reqwest::Client {
    reqwest::Client::builder().no_proxy().local_address(Some(address.parse().unwrap())).build().unwrap()
}

#[tokio::test]
async fn a_request_too_many_in_flight_is_told_to_come_again() {
    let limits = Limits { in_flight: 2, ..LIMITS };
    let site = trial(limits).await;
    let waiting: Vec<_> = (0..2).map(|_| tokio::spawn(site.get("/api/v1/runs/r/stream").send())).collect();
    let until = Instant::now() + PATIENCE;
    let refused = loop {
        let response = site.get("/health").send().await.unwrap();
        if response.status().as_u16() == 503 {
            break response;
        }
        assert!(Instant::now() < until, "{}", response.status());
    };
    assert_eq!(refused.headers()["retry-after"], "1");
    assert!(site.refused("busy") >= 1);
    waiting.into_iter().for_each(|one| one.abort());
    let until = Instant::now() + PATIENCE;
    while answer(site.get("/health")).await.0 != 200 {
        assert!(Instant::now() < until, "the places of requests that were given up stay taken");
    }
}

#[tokio::test]
async fn a_peer_that_is_too_fast_is_told_to_come_again() {
    let site = trial(LIMITS).await;
    let mut stream = TcpStream::connect(site.address).await.unwrap();
    let request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (mut reader, mut writer) = stream.split();
    // Pipelined, so that the client is faster than the rate.
    let send = async {
        for _ in 0..20_000 {
            if writer.write_all(request).await.is_err() {
                break;
            }
        }
    };
    let read = async {
        let mut text = Vec::new();
        let mut chunk = vec![0; 64 * 1024];
        while !String::from_utf8_lossy(&text).contains("429 Too Many Requests") {
            let count = reader.read(&mut chunk).await.unwrap();
            assert!(count > 0, "closed without a 429");
            let kept = text.len().saturating_sub(4_096);
            text.drain(..kept);
            text.extend_from_slice(&chunk[..count]);
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    let text = tokio::select! { text = read => text, () = async { send.await; std::future::pending().await } => unreachable!() };
    assert!(text.contains("retry-after: 1"), "{text}");
    assert!(site.refused("rate") >= 1);
}
