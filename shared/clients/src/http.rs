//! One HTTP exchange with everything bounded: time, size, tries. Used by the ticket and the policy client.

mod answer;

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Url};

use crate::call::CallContext;
use crate::error::{Effect, Error, Outage, OutageKind, chain};

pub(crate) use answer::{Answer, Judge};

/// Most that is read of an answer.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Longest wait for a connection, within the timeout of the call.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long an unused connection is kept. Short, because a frozen Lambda sandbox wakes up with dead ones.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// Connections kept for one host: as many as calls of one batch are under way.
const POOL_SIZE: usize = 10;

/// A service over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    service: &'static str,
    timeout: Duration,
}

/// What is sent.
pub(crate) struct Request {
    pub operation: &'static str,
    pub method: Method,
    pub url: Url,
    pub body: Option<Vec<u8>>,
    /// The effect that a lost answer leaves open: `NotApplied` for a question.
    pub at_stake: Effect,
}

/// Why there is no whole answer. `sent`: the service may have the request.
struct Fault {
    kind: OutageKind,
    sent: bool,
    detail: String,
}

impl Http {
    /// For the service at `base`.
    pub(crate) fn new(service: &'static str, base: &str, timeout: Duration) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder();
        if base.starts_with("http://") {
            // Nothing is verified, so no machine's certificates are read for it: a cold start costs less, and a bare image will do.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // Repeating is decided here, where it is known what may be repeated.
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .user_agent(concat!("self-healing-engine/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Invalid { field: "http client", problem: chain(&error) })?;
        Ok(Self { client, service, timeout })
    }

    /// Sends `request` and reads the answer, all before the caller's deadline and the client's timeout.
    ///
    /// A connection that could not be made or broke is tried once more, at once, where a repetition cannot do a thing twice:
    /// a question, or a call under an idempotency key.
    ///
    /// # Errors
    /// `Unavailable` where there is no answer, `Invalid` for a key that no header can carry. Any status is an answer.
    pub(crate) async fn exchange(&self, request: &Request, context: &CallContext) -> Result<Answer, Error> {
        let headers = headers(request, context)?;
        let limit = context.limit(self.timeout);
        if limit <= Instant::now() {
            return Err(self.unavailable(
                request,
                Fault {
                    kind: OutageKind::Timeout,
                    sent: false,
                    detail: "the deadline was over before the call".to_owned(),
                },
            ));
        }
        let repeatable = request.at_stake == Effect::NotApplied || context.idempotency_key.is_some();
        let first = match self.attempt(request, &headers, limit).await {
            Ok(answer) => return Ok(answer),
            Err(fault) => fault,
        };
        let again = match first.kind {
            OutageKind::Connect | OutageKind::Reset => repeatable && Instant::now() < limit,
            OutageKind::Timeout
            | OutageKind::ServerError
            | OutageKind::RateLimited
            | OutageKind::RequestTimeout
            | OutageKind::Aborted
            | OutageKind::BreakerOpen
            | OutageKind::NoIdentity
            | OutageKind::Untrusted => false,
        };
        if !again {
            return Err(self.unavailable(request, first));
        }
        tracing::debug!(service = self.service, operation = request.operation, error = first.detail, "call.repeated");
        self.attempt(request, &headers, limit).await.map_err(|mut second| {
            second.sent |= first.sent;
            self.unavailable(request, second)
        })
    }

    async fn attempt(&self, request: &Request, headers: &HeaderMap, limit: Instant) -> Result<Answer, Fault> {
        let mut message = reqwest::Request::new(request.method.clone(), request.url.clone());
        message.headers_mut().clone_from(headers);
        if let Some(body) = &request.body {
            *message.body_mut() = Some(body.clone().into());
        }
        let exchange = async {
            let response = self.client.execute(message).await.map_err(Fault::of_send)?;
            read(response).await
        };
        match tokio::time::timeout_at(limit.into(), exchange).await {
            Ok(result) => result,
            Err(_) => Err(Fault {
                kind: OutageKind::Timeout,
                sent: true,
                detail: "no whole answer within the time of the call".to_owned(),
            }),
        }
    }

    /// What to say of the statuses of this service's answers.
    pub(crate) fn judge(&self, request: &Request) -> Judge {
        Judge { service: self.service, operation: request.operation, at_stake: request.at_stake }
    }

    fn unavailable(&self, request: &Request, fault: Fault) -> Error {
        Error::Unavailable(Outage {
            service: self.service,
            operation: request.operation,
            kind: fault.kind,
            retry_after: None,
            effect: if fault.sent { request.at_stake } else { Effect::NotApplied },
            detail: fault.detail,
        })
    }
}

impl Fault {
    fn of_send(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (kind, sent) = match (error.is_connect(), error.is_timeout()) {
            // Refused, say: it may be tried again at once. What took the whole time of a connection would take it again.
            (true, false) => (OutageKind::Connect, false),
            (true, true) => (OutageKind::Timeout, false),
            (false, true) => (OutageKind::Timeout, true),
            (false, false) => (OutageKind::Reset, true),
        };
        Self { kind, sent, detail: chain(&error) }
    }
}

fn headers(request: &Request, context: &CallContext) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("application/json"));
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(key) = &context.idempotency_key {
        let value = HeaderValue::from_str(key).map_err(|_| Error::Invalid {
            field: "idempotency_key",
            problem: "only visible ASCII characters can be sent as a header".to_owned(),
        })?;
        headers.insert("idempotency-key", value);
    }
    if let Some(traceparent) = context.outgoing_traceparent() {
        // A trace that cannot be continued is no reason not to heal.
        match HeaderValue::from_str(&traceparent) {
            Ok(value) => drop(headers.insert("traceparent", value)),
            Err(error) => tracing::debug!(%error, "call.traceparent_dropped"),
        }
    }
    Ok(headers)
}

/// Reads the answer, at most [`MAX_BODY_BYTES`] of it. Letting go of a longer one closes the connection.
async fn read(mut response: reqwest::Response) -> Result<Answer, Fault> {
    let mut answer = Answer {
        status: response.status().as_u16(),
        content_type: text(response.headers(), &CONTENT_TYPE),
        retry_after: text(response.headers(), &RETRY_AFTER),
        body: Some(Vec::new()),
    };
    let announced = text(response.headers(), &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > MAX_BODY_BYTES)) {
        answer.body = None;
        return Ok(answer);
    }
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > MAX_BODY_BYTES => {
                answer.body = None;
                return Ok(answer);
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            // The status says enough where it is a bad one: a cut body does not make it an outage of another kind.
            Err(_) if answer.status >= 300 => break,
            Err(error) => {
                return Err(Fault { kind: OutageKind::Reset, sent: true, detail: chain(&error.without_url()) });
            }
        }
    }
    answer.body = Some(body);
    Ok(answer)
}

fn text(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
