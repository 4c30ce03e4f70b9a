//! The exporters' HTTP client: the workspace's reqwest, so that there is one TLS stack.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};

/// Most bytes of a collector's answer that are read; its answers are short.
const ANSWER_BYTES: usize = 64 * 1024;

/// Opens a connection for each request: a pooled one would be dead after a sandbox's freeze.
#[derive(Debug)]
pub(super) struct Client(reqwest::Client);

impl Client {
    /// A client for the collector at `url`. It has no timeout of its own: the flush around each request has one.
    pub(super) fn new(url: &str) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder();
        if url.starts_with("http://") {
            // Plain HTTP verifies nothing, so skip loading the system's root certificates.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .pool_max_idle_per_host(0)
            .user_agent(concat!("self-healing-engine/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self(client))
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        // Errors are logged, and a URL may contain credentials.
        let without_url = reqwest::Error::without_url;
        let mut answer = self.0.execute(request.try_into().map_err(without_url)?).await.map_err(without_url)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(without_url)? {
            let room = ANSWER_BYTES.saturating_sub(body.len());
            body.extend(chunk.into_iter().take(room));
            if body.len() >= ANSWER_BYTES {
                break;
            }
        }
        Ok(Response::builder().status(answer.status()).body(Bytes::from(body))?)
    }
}
