//! The three API calls: get, list and delete pods, each bounded in time and size.

use kube::api::{DeleteParams, GetParams, ListParams, Preconditions};
use kube::client::Body;
use kube::core::request;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::SERVICE;
use super::client::Client;
use super::model::{Metadata, Pod};
use super::transport::TokenUnavailable;
use crate::call::CallContext;
use crate::error::{Effect, Error, Misconfiguration, OutageKind, chain};
use crate::http::{Answer, AnswerCheck, TransportError, is_json, read, retried};
use crate::own;

/// Pods per page of a list of metadata, about 2 KiB each.
const METADATA_PAGE: u32 = 200;

/// Pods per page of a list of whole pods, about 20 KiB each.
const POD_PAGE: u32 = 20;

/// Most pages read of one list.
const MAX_PAGES: usize = 10;

/// The metadata of a pod in a list.
#[derive(Deserialize)]
pub(super) struct Summary {
    pub metadata: Metadata,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<T>,
}

/// What a list call requests: whole pods, or their metadata.
type ListRequest = fn(&request::Request, &ListParams) -> Result<http::Request<Vec<u8>>, request::Error>;

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// The API's answer to a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deletion {
    /// The pod is gone, or being deleted.
    Requested,
    /// The pod does not exist any more.
    Gone,
    /// Its name belongs to a later pod, which stays.
    Replaced,
}

impl Client {
    /// Reads a pod; `None` if it does not exist.
    pub(super) async fn get_pod(
        &self,
        namespace: &str,
        name: &str,
        context: &CallContext,
    ) -> Result<Option<Pod>, Error> {
        let operation = "get_pod";
        let request = pods(namespace).get(name, &GetParams::default());
        let check = self.check(operation, Effect::NotApplied);
        let call = async {
            let answer = self.exchange(check, request, context).await?;
            if answer.status == 404 && is_status(&answer) { Ok(None) } else { check.json(answer).map(Some) }
        };
        self.breaker.run_for(operation, name, call).await
    }

    /// Reads the metadata of all pods that match `labels`.
    pub(super) async fn list_metadata(
        &self,
        namespace: &str,
        labels: &str,
        context: &CallContext,
    ) -> Result<Vec<Summary>, Error> {
        self.list(namespace, labels, METADATA_PAGE, request::Request::list_metadata, context).await
    }

    /// Reads all pods that match `labels`.
    pub(super) async fn list_worker_pods(
        &self,
        namespace: &str,
        labels: &str,
        context: &CallContext,
    ) -> Result<Vec<Pod>, Error> {
        self.list(namespace, labels, POD_PAGE, request::Request::list, context).await
    }

    /// Reads a list to its last page.
    async fn list<T: DeserializeOwned>(
        &self,
        namespace: &str,
        labels: &str,
        page: u32,
        request: ListRequest,
        context: &CallContext,
    ) -> Result<Vec<T>, Error> {
        let operation = "list_pods";
        let check = self.check(operation, Effect::NotApplied);
        let mut found = Vec::new();
        let mut parameters = ListParams::default().labels(labels).limit(page);
        for _ in 0..MAX_PAGES {
            let request = request(&pods(namespace), &parameters);
            let call = async {
                let answer = self.exchange(check, request, context).await?;
                check.json::<Page<T>>(answer)
            };
            let page = self.breaker.run_for(operation, labels, call).await?;
            found.extend(page.items);
            match page.metadata.next {
                Some(token) if !token.is_empty() => parameters = parameters.continue_token(&token),
                Some(_) | None => return Ok(found),
            }
        }
        Err(check.bad_answer(200, &format!("the list exceeds the limit of {} pods", page as usize * MAX_PAGES)))
    }

    /// Deletes the pod with `uid`, but not a later pod of the same name.
    pub(super) async fn delete_pod(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        context: &CallContext,
    ) -> Result<Deletion, Error> {
        let operation = "delete_pod";
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let request = pods(namespace).delete(name, &DeleteParams::default().preconditions(preconditions));
        let check = self.check(operation, Effect::Unknown);
        let call = async {
            let answer = self.exchange(check, request, context).await?;
            match answer.status {
                404 if is_status(&answer) => Ok(Deletion::Gone),
                409 => Ok(Deletion::Replaced),
                _ => check.good(answer).map(|_| Deletion::Requested),
            }
        };
        self.breaker.run_for(operation, name, call).await
    }

    fn check(&self, operation: &'static str, at_stake: Effect) -> AnswerCheck {
        AnswerCheck { service: SERVICE, operation, at_stake, variable: Some(self.variable) }
    }

    /// Sends a request and reads the response of the API. A server that is not the API is a fault of the setting.
    async fn exchange(
        &self,
        check: AnswerCheck,
        request: Result<http::Request<Vec<u8>>, request::Error>,
        context: &CallContext,
    ) -> Result<Answer, Error> {
        let mut request =
            request.map_err(|error| Error::Invalid { field: "kubernetes request", problem: chain(&error) })?;
        if let Some(traceparent) = context.traceparent_header() {
            request.headers_mut().insert("traceparent", traceparent);
        }
        let answer = retried(check, context.limit(self.timeout), || self.send(request.clone())).await?;
        match foreign_answer(&answer) {
            Some(observed) => Err(Error::Misconfigured(Misconfiguration {
                service: SERVICE,
                operation: check.operation,
                variable: self.variable,
                observed,
                expected: "the API of a Kubernetes cluster".to_owned(),
            })),
            None => Ok(answer),
        }
    }

    async fn send(&self, request: http::Request<Vec<u8>>) -> Result<Answer, TransportError> {
        let response = self.kube.send(request.map(Body::from)).await;
        read(response.map_err(|error| TransportError::from_kube(&error))?).await
    }
}

/// What the response shows of a server that is not the API; `None` for one that the API may have sent.
fn foreign_answer(answer: &Answer) -> Option<String> {
    let content = answer.content_type.as_deref().unwrap_or("none");
    match answer.status {
        404 if !is_status(answer) => Some("a server that answers 404 to a route of every cluster".to_owned()),
        status @ 200..=299 if !is_json(content) => {
            Some(format!("a server that answers {status} with content type {content}"))
        }
        _ => None,
    }
}

/// Whether the API itself sent the response: a proxy that does not know the path sends no `Status` object.
fn is_status(answer: &Answer) -> bool {
    let body = answer.body.as_deref().unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|body| body.get("kind").is_some_and(|kind| kind == "Status"))
}

fn pods(namespace: &str) -> request::Request {
    request::Request::new(format!("/api/v1/namespaces/{namespace}/pods"))
}

impl TransportError {
    fn from_kube(error: &kube::Error) -> Self {
        match own::causes(error).find(|cause| cause.is::<TokenUnavailable>()) {
            Some(unavailable) => {
                let kind = if own::is_behind(unavailable) { OutageKind::OwnTrouble } else { OutageKind::NoIdentity };
                Self::new(kind, false, chain(error))
            }
            None => Self::of_client(error),
        }
    }
}
