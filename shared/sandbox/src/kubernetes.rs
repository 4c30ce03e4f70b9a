//! The pod calls of the Kubernetes API; a deleted pod is replaced as its owner would do it.

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
use http::request::Parts;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

pub use pod::{Owner, Pod, Replacement};

pub(crate) use store::Store;

use crate::gateway::{Answer, Backend, Peer};
use crate::journal::{Described, Entry};
use crate::wire::{json_response, text_response};
use call::PodCall;
use failure::Failure;
use selector::Selector;

/// Where the Kubernetes API listens and how fast the cluster is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The time from the creation of a replacement until it is ready.
    pub ready_after: Duration,
    /// The time for which a deleted pod still exists, with a `deletionTimestamp` and as ready as before. If zero, it is
    /// removed at once, and the response is a `Status` instead of the pod.
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
            PodCall::Ready => return now(text_response(StatusCode::OK, "ok")),
            PodCall::Version => Ok(version()),
            PodCall::List { namespace } => self.list(&namespace, parts.uri.query()),
            PodCall::Get { namespace, name } => self.store.get(&namespace, &name),
            PodCall::Delete { namespace, name } => self.store.delete(&namespace, &name, &body, entry),
            PodCall::NotFound => return now(text_response(StatusCode::NOT_FOUND, "404 page not found\n")),
            PodCall::MethodNotAllowed => Err(Failure::method_not_allowed()),
        };
        let response = match result {
            Ok(body) => json_response(StatusCode::OK, &body),
            Err(failure) => json_response(failure.status(), &failure.body()),
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
