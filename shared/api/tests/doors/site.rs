//! A server with doors before a few routes, each of which answers with its caller.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use heal_api::doors::access::Access;
use heal_api::doors::token::{self, TokenSource, Tokens};
use heal_api::doors::{Doors, Parts};
use heal_api::server::{self, Limits};
use heal_api::{Caller, Role};
use heal_runtime::port::{Clock as _, OsEntropy};
use heal_telemetry::Telemetry;
use heal_telemetry::export::{Settings, Setup};
use heal_testkit::memory::ManualClock;
use tokio::net::TcpListener;

/// Everybody who reaches it.
pub(crate) struct Site {
    pub address: SocketAddr,
    pub clock: Arc<ManualClock>,
    telemetry: Telemetry,
    folder: tempfile::TempDir,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub(crate) const LIMITS: Limits =
    Limits { connections: 100, peer_connections: 50, in_flight: 10, head: Duration::from_secs(5) };

async fn caller(caller: Caller) -> String {
    format!("{} {}", caller.identity, caller.role.as_str())
}

/// `prepare` gets the access with a file of tokens that has none, and may change it.
impl Site {
    pub(crate) async fn start(limits: Limits, prepare: impl FnOnce(&mut Access)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tokens = folder.path().join("tokens.json");
        Tokens::default().store(&tokens).unwrap();
        let mut access = Access { tokens: Some(TokenSource::File(tokens)), ..Access::default() };
        prepare(&mut access);
        let clock = Arc::new(ManualClock::default());
        let telemetry = Setup::new(Settings::read("heal", &|_| None)).with_scrape().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let parts = Parts { clock: clock.clone(), entropy: Arc::new(OsEntropy), metrics: telemetry.metrics().clone() };
        let doors = Arc::new(Doors::new(access, address, parts).unwrap());
        let router = Router::new()
            .route("/health", get(async || "well"))
            .route("/api/v1/runs", get(caller))
            .route("/api/v1/incidents", post(caller))
            .route("/api/v1/runs/{id}/approve", post(caller))
            .route("/api/v1/autonomy/{playbook}", put(caller))
            .route("/api/v1/runs/{id}/stream", get(async || std::future::pending::<String>().await))
            .route("/api/v1/forgotten", get(async || "a route without a line"));
        let router = doors.guard(router);
        let server = tokio::spawn(server::serve(
            listener,
            router,
            limits,
            doors.refusals(),
            std::future::pending(),
            Duration::from_secs(1),
        ));
        Self { address, clock, telemetry, folder, server }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        http().get(self.url(path))
    }

    /// A JSON body.
    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        http().post(self.url(path)).json(&serde_json::json!({}))
    }

    fn tokens(&self) -> PathBuf {
        self.folder.path().join("tokens.json")
    }

    /// A new token that is valid for an hour.
    pub(crate) fn token(&self, name: &str, role: Role, path: Option<&str>) -> String {
        let now = self.clock.now();
        let mut tokens = Tokens::load(&self.tokens(), false).unwrap();
        let times = [now, now.plus_ms(3_600_000)];
        let (text, entry) = token::create(name, role, path.map(ToOwned::to_owned), times, &OsEntropy).unwrap();
        tokens.tokens.push(entry);
        tokens.store(&self.tokens()).unwrap();
        self.clock.advance_ms(token::FRESH_MS);
        text
    }

    pub(crate) fn revoke(&self, name: &str) {
        let mut tokens = Tokens::load(&self.tokens(), false).unwrap();
        tokens.tokens.retain(|entry| entry.name != name);
        tokens.store(&self.tokens()).unwrap();
        self.clock.advance_ms(token::FRESH_MS);
    }

    /// How many refusals were counted for `reason`.
    pub(crate) fn refused(&self, reason: &str) -> u64 {
        let text = self.telemetry.exposition().unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with("self_healing_api_refused_total{"));
        let line = lines.rfind(|line| line.contains(&format!("reason=\"{reason}\"")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    }
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

/// Status and text of the answer.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}
