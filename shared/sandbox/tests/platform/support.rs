//! Platforms and clients for the tests.

use std::time::Duration;

use heal_proto::orchestrator_strategic_client::OrchestratorStrategicClient;
use heal_sandbox::{Platform, PlatformConfig};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use tonic::transport::{Channel, Endpoint};

/// Longer than any test takes on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn platform() -> Platform {
    start(PlatformConfig::default())
}

pub(crate) fn start(config: PlatformConfig) -> Platform {
    Platform::start(config).expect("the platform starts")
}

/// An HTTP client without redirects and proxies, like the engine's.
pub(crate) fn http() -> Client {
    Client::builder()
        .no_proxy()
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none())
        .timeout(DEADLINE)
        .build()
        .unwrap()
}

/// Sends `body` to `url` under an idempotency key.
pub(crate) async fn change(method: Method, url: &str, key: &str, body: &Value) -> Response {
    http().request(method, url).header("Idempotency-Key", key).json(body).send().await.unwrap()
}

pub(crate) async fn get(url: &str) -> (u16, Value) {
    answer(http().get(url).send().await.unwrap()).await
}

/// The status, and the body if it is JSON, else null.
pub(crate) async fn answer(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

pub(crate) fn grpc(platform: &Platform) -> OrchestratorStrategicClient<Channel> {
    let endpoint = Endpoint::from_shared(platform.endpoints().url(heal_sandbox::Service::Orchestrator));
    let channel = endpoint.unwrap().tcp_nodelay(true).timeout(DEADLINE).connect_lazy();
    OrchestratorStrategicClient::new(channel)
}
