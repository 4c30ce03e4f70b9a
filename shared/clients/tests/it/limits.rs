//! Limits of every client: the connect timeout, and no proxy from the environment.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use heal_clients::config::{BaseUrl, Config, KubernetesAccess, KubernetesConfig};
use heal_clients::{CallContext, Effect, Error, OutageKind, Wiring, kubernetes, orchestrator, tickets};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::support::ticket_config;
use crate::support::wire::closed_port;

/// The connect timeout of the clients.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An address that accepts no more connections, because its backlog is full; dropping the rest would free it.
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

fn assert_connect_timeout(error: &Error, started: Instant) {
    match error {
        Error::Unavailable(outage) => {
            assert_eq!((outage.kind, outage.effect), (OutageKind::Timeout, Effect::NotApplied), "{outage}");
        }
        other => panic!("{other:?}"),
    }
    let took = started.elapsed();
    assert!(took >= CONNECT_TIMEOUT && took < CONNECT_TIMEOUT * 2, "{took:?}");
}

#[tokio::test]
async fn a_connect_timeout_is_not_retried() {
    let (addr, _listener, _waiting) = full_backlog().await;
    let context = CallContext::within(Duration::from_secs(30)).with_key("k");
    let mut config = ticket_config(&format!("http://{addr}"));
    config.timeout = Duration::from_secs(30);
    let tickets = tickets::Client::new(&config, &Wiring::default()).unwrap();

    let port = addr.port().to_string();
    let env = [
        ("ORCHESTRATOR_GRPC_HOST", "127.0.0.1"),
        ("ORCHESTRATOR_GRPC_PORT", port.as_str()),
        ("ORCHESTRATOR_GRPC_USE_TLS", "false"),
    ];
    let orchestrator =
        orchestrator::Client::new(&Config::read(&env).unwrap().orchestrator, &Wiring::default()).unwrap();

    let access = KubernetesAccess::Url(BaseUrl::parse(&format!("http://{addr}")).unwrap());
    let config = KubernetesConfig { access, ..Config::read(&[]).unwrap().kubernetes };
    let kubernetes = kubernetes::Client::new(&config, None, &Wiring::default()).await.unwrap();

    let started = Instant::now();
    let metadata = tickets::Metadata::new();
    let (ticket, resumed, pod) = tokio::join!(
        tickets.reallocate_ticket("t-1", "r", &metadata, &context),
        orchestrator.resume_workflow("wf-1", "r", &context),
        kubernetes.pod_health("worker-1", None, &context),
    );
    assert_connect_timeout(&ticket.unwrap_err(), started);
    assert_connect_timeout(&resumed.unwrap_err(), started);
    assert_connect_timeout(&pod.unwrap_err(), started);
}

/// One test per client; each must pass whatever the environment contains.
const TESTS: [&str; 4] = [
    "tickets::health_is_any_good_status",
    "policy::only_critical_and_configured_actions_are_put_to_the_policy",
    "kubernetes::the_namespace_defaults_to_the_configured_one",
    "kubernetes_access::a_kubeconfig_sets_the_cluster_and_its_token",
];

#[tokio::test]
async fn a_proxy_in_the_environment_is_not_used() {
    let dead = format!("http://{}", closed_port().await);
    let mut run = Command::new(std::env::current_exe().unwrap());
    run.arg("--exact").args(TESTS);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        run.env(name, &dead);
    }
    let output = run.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("4 passed"), "{text}");
}
