//! Services that keep one waiting: every call ends within its time.

use std::net::SocketAddr;
use std::time::Duration;

use heal_aws::eks::{ClusterName, describe};
use heal_aws::limit::{ATTEMPT_TIMEOUT, CONNECT_TIMEOUT, OPERATION_TIMEOUT, READ_TIMEOUT};
use heal_aws::{Error, secrets};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::support::server::{Act, Server};
use crate::support::session_at;

/// What a busy machine may add.
const SLACK: Duration = Duration::from_secs(2);

/// How long a secret and a cluster were waited for.
async fn waits(url: &str) -> (Duration, Duration) {
    let session = session_at(url).await;
    let secrets = secrets::Client::new(&session).unwrap();
    let name = ClusterName::parse("prod").unwrap();
    let started = Instant::now();
    let secret = async {
        let error = secrets.read("spiffe/engine").await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        started.elapsed()
    };
    let cluster = async {
        let error = describe(&session, &name).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        started.elapsed()
    };
    // A call without a bound fails here, and does not hang the suite.
    let both = async { tokio::join!(secret, cluster) };
    tokio::time::timeout(2 * OPERATION_TIMEOUT, both).await.unwrap()
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up_in_time() {
    let server = Server::start([Act::Hang]).await;
    let (secret, cluster) = waits(&server.url).await;
    assert!(secret >= 2 * READ_TIMEOUT && secret < OPERATION_TIMEOUT + SLACK, "{secret:?}");
    assert!(cluster >= 2 * ATTEMPT_TIMEOUT && cluster < OPERATION_TIMEOUT + SLACK, "{cluster:?}");
    assert_eq!(server.seen().len(), 4, "two tries each");
}

#[tokio::test]
async fn an_answer_that_drips_is_given_up_in_time() {
    let server = Server::start([Act::Drip]).await;
    let (secret, cluster) = waits(&server.url).await;
    assert!(secret >= ATTEMPT_TIMEOUT && secret < OPERATION_TIMEOUT + SLACK, "{secret:?}");
    assert!(cluster >= ATTEMPT_TIMEOUT && cluster < OPERATION_TIMEOUT + SLACK, "{cluster:?}");
}

/// An address that completes no more connections: its backlog is full. The rest keeps it so.
async fn full_backlog() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(Ok(stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(addr)).await {
        waiting.push(stream);
    }
    (addr, listener, waiting)
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_is_given_up_in_time() {
    let (addr, _listener, _waiting) = full_backlog().await;
    let (secret, cluster) = waits(&format!("http://{addr}")).await;
    for took in [secret, cluster] {
        assert!(took >= 2 * CONNECT_TIMEOUT && took < 2 * READ_TIMEOUT, "{took:?}");
    }
}
