//! The three calls that are needed of the API, each with its deadline, size and error bounded.

use std::time::Instant;

use http_body_util::BodyExt;
use hyper_util::client::legacy;
use kube::api::{DeleteParams, GetParams, ListParams, Preconditions};
use kube::client::Body;
use kube::core::request;
use serde::Deserialize;
use tracing::debug;

use super::SERVICE;
use super::client::Client;
use super::model::{Metadata, Pod};
use super::transport::NoToken;
use crate::call::CallContext;
use crate::error::{Effect, Error, Outage, OutageKind, chain};
use crate::http::{Answer, Judge, MAX_BODY_BYTES};

/// Pods of one page of a list; only their metadata is asked for, about 2 KiB each.
const PAGE: u32 = 200;

/// Most pages that are read of one list.
const MAX_PAGES: usize = 10;

/// A pod without its specification and state.
#[derive(Deserialize)]
pub(super) struct Summary {
    pub metadata: Metadata,
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<Summary>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

/// What became of a deletion.
pub(super) enum Deletion {
    Done,
    /// The pod is gone or is another one by now: someone else did it.
    AlreadyGone,
}

impl Client {
    /// The pod, `None` where there is none.
    pub(super) async fn get_pod(
        &self,
        namespace: &str,
        name: &str,
        context: &CallContext,
    ) -> Result<Option<Pod>, Error> {
        let operation = "get_pod";
        let request = pods(namespace).get(name, &GetParams::default());
        let judge = Judge { service: SERVICE, operation, at_stake: Effect::NotApplied };
        let call = async {
            let answer = self.exchange(operation, Effect::NotApplied, request, context).await?;
            if answer.status == 404 && is_status(&answer) { Ok(None) } else { judge.json(answer).map(Some) }
        };
        self.breaker.run(operation, call).await
    }

    /// The metadata of all pods that match `labels` (`name=value`, separated by commas).
    pub(super) async fn list_pods(
        &self,
        namespace: &str,
        labels: &str,
        context: &CallContext,
    ) -> Result<Vec<Summary>, Error> {
        let operation = "list_pods";
        let judge = Judge { service: SERVICE, operation, at_stake: Effect::NotApplied };
        let mut found = Vec::new();
        let mut parameters = ListParams::default().labels(labels).limit(PAGE);
        for _ in 0..MAX_PAGES {
            let request = pods(namespace).list_metadata(&parameters);
            let call = async {
                let answer = self.exchange(operation, Effect::NotApplied, request, context).await?;
                judge.json::<Page>(answer)
            };
            let page = self.breaker.run(operation, call).await?;
            found.extend(page.items);
            match page.metadata.next {
                Some(token) if !token.is_empty() => parameters = parameters.continue_token(&token),
                Some(_) | None => return Ok(found),
            }
        }
        Err(judge.bad_answer(200, &format!("the list is over {} pods", PAGE as usize * MAX_PAGES)))
    }

    /// Deletes the pod that has `uid`, and no later one of its name.
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
        let judge = Judge { service: SERVICE, operation, at_stake: Effect::Unknown };
        let call = async {
            let answer = self.exchange(operation, Effect::Unknown, request, context).await?;
            match answer.status {
                404 | 409 => Ok(Deletion::AlreadyGone),
                _ => judge.good(answer).map(|_| Deletion::Done),
            }
        };
        self.breaker.run(operation, call).await
    }

    /// Sends and reads, once more where the connection could not be made or broke: each of these calls may be made twice, a
    /// deletion because its uid can be deleted only once.
    async fn exchange(
        &self,
        operation: &'static str,
        at_stake: Effect,
        request: Result<http::Request<Vec<u8>>, request::Error>,
        context: &CallContext,
    ) -> Result<Answer, Error> {
        let mut request =
            request.map_err(|error| Error::Invalid { field: "kubernetes request", problem: chain(&error) })?;
        if let Some(traceparent) = context.traceparent_header() {
            request.headers_mut().insert("traceparent", traceparent);
        }
        let limit = context.limit(self.timeout);
        let mut sent = false;
        for try_number in 0..2 {
            let fault = match tokio::time::timeout_at(limit.into(), self.once(request.clone())).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(fault)) => fault,
                Err(_) => Fault {
                    kind: OutageKind::Timeout,
                    sent: true,
                    detail: "no whole answer within the time of the call".to_owned(),
                },
            };
            sent |= fault.sent;
            let again = matches!(fault.kind, OutageKind::Connect | OutageKind::Reset);
            if try_number == 0 && again && Instant::now() < limit {
                debug!(service = SERVICE, operation, error = fault.detail, "call.repeated");
                continue;
            }
            return Err(Error::Unavailable(Outage {
                service: SERVICE,
                operation,
                kind: fault.kind,
                retry_after: None,
                effect: if sent { at_stake } else { Effect::NotApplied },
                detail: fault.detail,
            }));
        }
        // Both tries have returned above.
        Err(Error::Invalid { field: "kubernetes request", problem: "was not tried".to_owned() })
    }

    async fn once(&self, request: http::Request<Vec<u8>>) -> Result<Answer, Fault> {
        let response = self.kube.send(request.map(Body::from)).await.map_err(|error| Fault::of(&error))?;
        let (parts, mut body) = response.into_parts();
        let text =
            |name: http::HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let mut answer = Answer {
            status: parts.status.as_u16(),
            content_type: text(http::header::CONTENT_TYPE),
            retry_after: text(http::header::RETRY_AFTER),
            body: None,
        };
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Fault { kind: OutageKind::Reset, sent: true, detail: chain(&error) })?;
            if let Ok(data) = frame.into_data() {
                if bytes.len() + data.len() > MAX_BODY_BYTES {
                    return Ok(answer);
                }
                bytes.extend_from_slice(&data);
            }
        }
        answer.body = Some(bytes);
        Ok(answer)
    }
}

/// Whether it is the API that says so, and not a proxy that does not know the path.
fn is_status(answer: &Answer) -> bool {
    let body = answer.body.as_deref().unwrap_or_default();
    serde_json::from_slice::<serde_json::Value>(body)
        .is_ok_and(|body| body.get("kind").is_some_and(|kind| kind == "Status"))
}

fn pods(namespace: &str) -> request::Request {
    request::Request::new(format!("/api/v1/namespaces/{namespace}/pods"))
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(this) = cause {
        if this.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut) {
            return true;
        }
        cause = this.source();
    }
    false
}

/// Why there is no whole answer. `sent`: the API may have the request.
struct Fault {
    kind: OutageKind,
    sent: bool,
    detail: String,
}

impl Fault {
    fn of(error: &kube::Error) -> Self {
        let detail = chain(error);
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(this) = cause {
            if this.is::<NoToken>() {
                return Self { kind: OutageKind::NoIdentity, sent: false, detail };
            }
            if this.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect) {
                let kind = if is_timeout(this) { OutageKind::Timeout } else { OutageKind::Connect };
                return Self { kind, sent: false, detail };
            }
            cause = this.source();
        }
        Self { kind: OutageKind::Reset, sent: true, detail }
    }
}
