//! Jaeger, which receives traces by OTLP and returns them by their id.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::receiver::{Receiver, free_addresses};
use crate::support::{PATIENCE, get};

/// A running Jaeger; what it takes is in its memory.
#[derive(Debug)]
pub(crate) struct Jaeger {
    pub otlp_traces: String,
    query: String,
    _process: Receiver,
}

/// A span as Jaeger gives it back.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub id: String,
    pub name: String,
    pub parent: Option<String>,
    pub service: String,
    pub tags: BTreeMap<String, String>,
}

impl Jaeger {
    pub(crate) fn start(program: &Path) -> Self {
        let [otlp_http, otlp_grpc, query, query_grpc, collector_http, collector_grpc, admin] = free_addresses();
        let args = [
            ("collector.otlp.http.host-port", &otlp_http),
            ("collector.otlp.grpc.host-port", &otlp_grpc),
            ("query.http-server.host-port", &query),
            ("query.grpc-server.host-port", &query_grpc),
            ("collector.http-server.host-port", &collector_http),
            ("collector.grpc-server.host-port", &collector_grpc),
            ("admin.http.host-port", &admin),
        ];
        let args = args.map(|(name, address)| format!("--{name}={address}"));
        let mut process = Receiver::start(program, tempfile::tempdir().unwrap(), &args);
        for address in [&otlp_http, &query] {
            process.wait_until_ready(&format!("http://{address}"));
        }
        Self {
            otlp_traces: format!("http://{otlp_http}/v1/traces"),
            query: format!("http://{query}"),
            _process: process,
        }
    }

    /// The spans of a trace, once `complete` says that they are all there.
    pub(crate) async fn trace(&self, trace_id: &str, complete: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let url = format!("{}/api/traces/{trace_id}", self.query);
        self.eventually(&url, complete).await
    }

    /// The id of the one trace that has a span `operation` with this tag.
    pub(crate) async fn find(&self, operation: &str, tag: (&str, &str)) -> String {
        let tags = serde_json::json!({ tag.0: tag.1 }).to_string();
        let parameters = [("service", "heal"), ("operation", operation), ("tags", &tags), ("lookback", "1h")];
        let url = reqwest::Url::parse_with_params(&format!("{}/api/traces", self.query), &parameters).unwrap();
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (_, body) = get(url.as_str()).await;
            if let Some(id) = body["data"][0]["traceID"].as_str() {
                assert_eq!(body["data"].as_array().unwrap().len(), 1, "{body}");
                return id.to_owned();
            }
            assert!(tokio::time::Instant::now() < give_up, "no trace with {tags}: {body}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    async fn eventually(&self, url: &str, complete: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let give_up = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (_, body) = get(url).await;
            let spans = spans(&body);
            if complete(&spans) {
                return spans;
            }
            assert!(tokio::time::Instant::now() < give_up, "not complete: {spans:#?} in {body}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }
}

fn spans(body: &Value) -> Vec<Span> {
    let trace = &body["data"][0];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let span = |span: &Value| {
        let references = span["references"].as_array().into_iter().flatten();
        let parent = references.clone().find(|reference| reference["refType"] == "CHILD_OF");
        let tags = span["tags"].as_array().into_iter().flatten();
        Span {
            id: text(&span["spanID"]),
            name: text(&span["operationName"]),
            parent: parent.map(|parent| text(&parent["spanID"])),
            service: text(&trace["processes"][text(&span["processID"])]["serviceName"]),
            tags: tags.map(|tag| (text(&tag["key"]), text(&tag["value"]))).collect(),
        }
    };
    trace["spans"].as_array().into_iter().flatten().map(span).collect()
}
