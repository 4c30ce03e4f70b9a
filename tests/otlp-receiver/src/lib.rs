//! A fake OTLP collector for tests: it runs in the process of the test and keeps every request. A dev-dependency only.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    reason = "a broken collector is a failed test"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

/// How the collector answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    Ok,
    Status(StatusCode),
    /// Reads the request and never answers.
    Hang,
}

/// A collector on a free port of the loopback interface.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Base URL, without a path.
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
    reply: Reply,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, protobuf.
    pub body: Bytes,
}

impl Collector {
    pub async fn start(reply: Reply) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { url, received: Arc::default(), reply };
        let router = Router::new().fallback(receive).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Resource attributes and metrics of the last request for metrics.
    pub fn metrics(&self) -> (Vec<KeyValue>, Vec<Metric>) {
        let received =
            self.received().into_iter().rfind(|received| received.path == "/v1/metrics").expect("no metrics arrived");
        let request = ExportMetricsServiceRequest::decode(received.body).unwrap();
        let first = request.resource_metrics.into_iter().next().unwrap();
        let metrics = first.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect();
        (first.resource.unwrap().attributes, metrics)
    }

    /// Every span received.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.received().into_iter().filter(|received| received.path == "/v1/traces");
        let requests = requests.map(|received| ExportTraceServiceRequest::decode(received.body).unwrap());
        let resources = requests.flat_map(|request| request.resource_spans);
        resources.flat_map(|spans| spans.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

async fn receive(State(collector): State<Collector>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let received = Received { path: uri.path().to_owned(), headers, body };
    collector.received.lock().unwrap().push(received);
    match collector.reply {
        Reply::Ok => StatusCode::OK,
        Reply::Status(status) => status,
        Reply::Hang => {
            tokio::time::sleep(Duration::from_hours(1)).await;
            StatusCode::OK
        }
    }
}

/// The text of the attribute `name`.
pub fn text(attributes: &[KeyValue], name: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == name)?.value.clone()?.value?;
    match value {
        Value::StringValue(text) => Some(text),
        other => Some(format!("{other:?}")),
    }
}
