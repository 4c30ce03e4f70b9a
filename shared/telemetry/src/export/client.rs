//! The exporters' HTTP client: the engine's own, whose connections are bounded whatever a collector does.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use heal_http::{Options, TlsError};
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};

/// Most bytes of a collector's answer that are read; its answers are short.
const ANSWER_BYTES: usize = 64 * 1024;
/// Opens a connection for each request: a pooled one would be dead after a sandbox's freeze. The flush around each request has a shorter time.
const OPTIONS: Options = Options { body_bytes: ANSWER_BYTES, connect_time: Duration::from_secs(3), idle: 0 };

/// Sends to one collector.
#[derive(Debug)]
pub(super) struct Client(heal_http::Client);

impl Client {
    /// A client for the collector at `url`. It has no timeout of its own: the flush around each request has one.
    pub(super) fn new(url: &str) -> Result<Self, TlsError> {
        // Plain HTTP verifies nothing, so loading the machine's root certificates is left out.
        Ok(Self(heal_http::Client::new(OPTIONS, url.starts_with("http://"))?))
    }
}

#[async_trait]
impl HttpClient for Client {
    /// No error has the URL, which may contain credentials.
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.0.send(request).await?;
        Ok(Response::builder().status(answer.status).body(answer.body)?)
    }
}
