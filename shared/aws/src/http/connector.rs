//! The HTTP connector of SDK clients.

use std::sync::Arc;
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use tokio::time::timeout;

use super::Http;
use crate::limit::{ANSWER_BYTES, SMALL_ANSWER_BYTES};

/// Sends requests that the SDK signed. The SDK controls retries, pauses and the operation's timeout.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    http: Arc<Http>,
    /// Longest wait for the head of an answer, including the connection.
    read_timeout: Option<Duration>,
}

impl HttpClient for Connector {
    /// All clients share the session's connect timeout, so one connection pool serves them all.
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let read_timeout = settings.read_timeout();
        SharedHttpConnector::new(Self { http: Arc::clone(&self.http), read_timeout })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move { this.exchange(request).await })
    }
}

impl Connector {
    pub(crate) const fn new(http: Arc<Http>) -> Self {
        Self { http, read_timeout: None }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let client = self.http.client(request.uri().scheme_str().unwrap_or_default());
        // Without root certificates no connection can be made, and nothing was sent.
        let client = client.map_err(|error| ConnectorError::other(error.into(), None).never_connected())?;
        let bytes = answer_bytes(&request);
        let sending = client.send_reading(in_memory(request)?, bytes);
        let answered = match self.read_timeout {
            Some(limit) => timeout(limit, sending).await.map_err(|elapsed| ConnectorError::timeout(elapsed.into()))?,
            None => sending.await,
        };
        let answer = answered.map_err(fault)?;
        if answer.is_cut {
            let detail = format!("the answer has more than {bytes} bytes");
            return Err(ConnectorError::other(detail.into(), None));
        }
        let mut response = http::Response::new(SdkBody::from(answer.body));
        (*response.status_mut(), *response.headers_mut()) = (answer.status, answer.headers);
        HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
    }
}

/// How long the answer may be: pages of rows and messages are long.
fn answer_bytes(request: &http::Request<SdkBody>) -> usize {
    let operation = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let is_page = operation.starts_with("DynamoDB_") || operation.ends_with(".ReceiveMessage");
    if is_page { ANSWER_BYTES } else { SMALL_ANSWER_BYTES }
}

/// Converts a request; this crate's bodies are all in memory.
fn in_memory(request: http::Request<SdkBody>) -> Result<http::Request<Bytes>, ConnectorError> {
    let (parts, body) = request.into_parts();
    let bytes = body.bytes().map(Bytes::copy_from_slice);
    let bytes = bytes.ok_or_else(|| ConnectorError::user(BoxError::from("the body is not in memory")))?;
    Ok(http::Request::from_parts(parts, bytes))
}

/// Classifies an error, by which the SDK decides whether to retry.
fn fault(error: heal_http::Error) -> ConnectorError {
    if error.is_connect() {
        ConnectorError::io(error.into()).never_connected()
    } else {
        ConnectorError::io(error.into())
    }
}
