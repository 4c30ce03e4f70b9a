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

/// How the collector responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Accepts every request.
    Well,
    /// Responds with this status.
    Status(StatusCode),
    /// Accepts the connection and never responds.
    Hanging,
}

/// A collector on a free port of the loopback interface.
#[derive(Debug, Clone)]
pub struct Collector {
    /// Base URL, without a path.
    pub url: String,
    got: Arc<Mutex<Vec<Got>>>,
    mood: Mood,
}

/// A request.
#[derive(Debug, Clone)]
pub struct Got {
    /// Path of its URL.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, protobuf.
    pub body: Bytes,
}

impl Collector {
    /// Starts the collector; it ends with the runtime.
    pub async fn start(mood: Mood) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { url, got: Arc::default(), mood };
        let router = Router::new().fallback(take).with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    /// Every request so far.
    pub fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Resource attributes and metrics of the last request for metrics.
    pub fn metrics(&self) -> (Vec<KeyValue>, Vec<Metric>) {
        let got = self.got().into_iter().rfind(|got| got.path == "/v1/metrics").expect("no metrics were received");
        let request = ExportMetricsServiceRequest::decode(got.body).unwrap();
        let of_resource = request.resource_metrics.into_iter().next().unwrap();
        let metrics = of_resource.scope_metrics.into_iter().flat_map(|scope| scope.metrics).collect();
        (of_resource.resource.unwrap().attributes, metrics)
    }

    /// Every span so far.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.got().into_iter().filter(|got| got.path == "/v1/traces");
        let requests = requests.map(|got| ExportTraceServiceRequest::decode(got.body).unwrap());
        let of_resource = requests.flat_map(|request| request.resource_spans);
        of_resource.flat_map(|spans| spans.scope_spans).flat_map(|scope| scope.spans).collect()
    }
}

async fn take(State(collector): State<Collector>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    let got = Got { path: uri.path().to_owned(), headers, body };
    collector.got.lock().unwrap().push(got);
    match collector.mood {
        Mood::Well => StatusCode::OK,
        Mood::Status(status) => status,
        Mood::Hanging => {
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
