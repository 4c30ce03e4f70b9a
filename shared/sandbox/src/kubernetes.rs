//! The pod calls of the Kubernetes API, over pods that are replaced as their owner would.

mod call;
mod failure;
mod manifest;
mod pod;
mod selector;
mod store;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

pub use pod::{Owner, Pod, Replacement};

pub(crate) use store::Store;

use crate::connection::Peer;
use crate::gateway::{Answer, Backend};
use crate::journal::{Described, Entry};
use call::PodCall;
use failure::Failure;
use selector::Selector;

/// What a fault of the Kubernetes API may name.
pub const OPERATIONS: &[&str] = &["get_pod", "list_pods", "delete_pod", "version", "readyz"];

/// Where the Kubernetes API listens, and how fast the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// 0 = a free port.
    pub port: u16,
    /// How long a replacement takes from its creation to being ready.
    pub ready_after: Duration,
    /// How long a deleted pod is still there, with its `deletionTimestamp`, and as ready as before. Zero: it goes at
    /// once, and the answer is a `Status` instead of the pod.
    pub terminate_after: Duration,
}

/// The running service.
pub(crate) struct Kubernetes {
    pub(crate) store: Arc<Store>,
}

impl Backend for Kubernetes {
    fn describe(&self, parts: &Parts, _: &Bytes) -> Described {
        let call = PodCall::read(&parts.method, parts.uri.path());
        Described { operation: call.operation(), target: call.target(), ..Described::default() }
    }

    fn perform(&self, request: Request<Bytes>, _: &Peer, entry: &Entry) -> Answer<'_> {
        let (parts, body) = request.into_parts();
        let result = match PodCall::read(&parts.method, parts.uri.path()) {
            PodCall::Ready => return now(text(StatusCode::OK, "ok")),
            PodCall::Version => Ok(version()),
            PodCall::List { namespace } => self.list(&namespace, parts.uri.query()),
            PodCall::Get { namespace, name } => self.store.get(&namespace, &name),
            PodCall::Delete { namespace, name } => self.store.delete(&namespace, &name, &body, entry),
            PodCall::NotFound => return now(text(StatusCode::NOT_FOUND, "404 page not found\n")),
            PodCall::MethodNotAllowed => Err(Failure::method_not_allowed()),
        };
        let response = match result {
            Ok(body) => answer(StatusCode::OK, &body),
            Err(failure) => answer(failure.status(), &failure.body()),
        };
        now(response)
    }
}

impl Kubernetes {
    fn list(&self, namespace: &str, query: Option<&str>) -> Result<Value, Failure> {
        let selector = Selector::read(query.unwrap_or_default())?;
        let (pods, resource_version) = self.store.list(namespace, &selector);
        Ok(json!({
            "kind": "PodList",
            "apiVersion": "v1",
            "metadata": {"resourceVersion": resource_version.to_string()},
            "items": pods,
        }))
    }
}

fn version() -> Value {
    json!({
        "major": "1",
        "minor": "35",
        "gitVersion": "v1.35.0",
        "gitCommit": "0000000000000000000000000000000000000000",
        "gitTreeState": "clean",
        "buildDate": "2025-12-01T00:00:00Z",
        "goVersion": "go1.25.0",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}

fn now(response: Response<Body>) -> Answer<'static> {
    Box::pin(std::future::ready(response))
}

fn answer(status: StatusCode, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn text(status: StatusCode, body: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
