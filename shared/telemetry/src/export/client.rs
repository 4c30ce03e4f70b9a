//! The exporters' HTTP client: the workspace's own, so that there is one TLS stack.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};

/// Bytes of a collector's answer that are read; it has nothing long to say.
const ANSWER_BYTES: usize = 64 * 1024;

/// Sends one request at a time over a connection of its own: one that was kept would be dead after a sandbox's freeze.
#[derive(Debug)]
pub(super) struct Client(reqwest::Client);

impl Client {
    /// For the collector at `url`. The time of a call is bounded by the flush that it is part of.
    pub(super) fn new(url: &str) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder();
        if url.starts_with("http://") {
            // Nothing is verified, so no machine's certificates are read for it.
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
        // A URL may hold credentials, and an error is for the log.
        let quiet = reqwest::Error::without_url;
        let mut answer = self.0.execute(request.try_into().map_err(quiet)?).await.map_err(quiet)?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(quiet)? {
            let room = ANSWER_BYTES.saturating_sub(body.len());
            body.extend(chunk.into_iter().take(room));
            if body.len() >= ANSWER_BYTES {
                break;
            }
        }
        Ok(Response::builder().status(answer.status()).body(Bytes::from(body))?)
    }
}
