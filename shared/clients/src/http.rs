//! One HTTP exchange, bounded in time, size and retries: for the ticket client, the policy client and HTTP probes over reqwest, and
//! [`retried`] for any transport.

mod answer;
mod certificate;
mod redirect;

use std::future::Future;
use std::time::Duration;

use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Method, Url};
use tokio::time::Instant;

use crate::call::CallContext;
use crate::error::{Effect, Error, OutageKind, chain};
use crate::own;

pub(crate) use answer::{Answer, AnswerCheck, TransportError, is_json};
pub(crate) use certificate::refused_certificate;

/// Longest response body that is read.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Longest idempotency key that is sent: servers refuse a head of more than 8 KiB or so. The key of a ticket in a batch contains its id,
/// percent-encoded.
const MAX_KEY_BYTES: usize = 4 * 1024;

/// Timeout of opening a connection; a shorter call timeout wins.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// An idle connection is closed after this time: a Lambda sandbox that was frozen thaws with dead connections.
pub(crate) const POOL_IDLE: Duration = Duration::from_secs(15);

/// Idle connections kept per host: as many as a batch has calls in flight.
const POOL_SIZE: usize = 10;

/// The HTTP client of one service.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    service: &'static str,
    timeout: Duration,
    variable: Option<&'static str>,
}

/// One request, sent as JSON.
pub(crate) struct Request {
    pub operation: &'static str,
    pub method: Method,
    pub url: Url,
    pub body: Option<Vec<u8>>,
    /// The effect that a lost response leaves open; `NotApplied` for a request that only reads.
    pub at_stake: Effect,
}

impl Http {
    /// A client for `service` at the URL `base`. `timeout` bounds every exchange.
    pub(crate) fn new(service: &'static str, base: &str, timeout: Duration) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder();
        if base.starts_with("http://") {
            // Plain text: skip loading the system's root certificates, which a bare image lacks and a cold start pays for.
            builder = builder.tls_certs_only([]);
        }
        let client = builder
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // `exchange` retries; only it knows which requests are safe to repeat.
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .user_agent(concat!("self-healing-engine/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Invalid { field: "http client", problem: chain(&error) })?;
        Ok(Self { client, service, timeout, variable: None })
    }

    /// A refused certificate is a fault of the setting `variable`, which says where the service is, and not an outage.
    pub(crate) fn configured_by(self, variable: &'static str) -> Self {
        Self { variable: Some(variable), ..self }
    }

    /// Sends `request` and reads the response, as [`retried`].
    ///
    /// # Errors
    /// `Unavailable` without a complete response, `Invalid` if the idempotency key cannot be sent as a header. A response with any
    /// status is `Ok`.
    pub(crate) async fn exchange(&self, request: &Request, context: &CallContext) -> Result<Answer, Error> {
        let headers = headers(request, context)?;
        retried(self.judge(request), context.limit(self.timeout), || self.attempt(request, &headers)).await
    }

    async fn attempt(&self, request: &Request, headers: &HeaderMap) -> Result<Answer, TransportError> {
        let mut message = reqwest::Request::new(request.method.clone(), request.url.clone());
        message.headers_mut().clone_from(headers);
        if let Some(body) = &request.body {
            *message.body_mut() = Some(body.clone().into());
        }
        let response = self.client.execute(message).await.map_err(TransportError::from_reqwest)?;
        read(response).await
    }

    /// Interprets the response to `request`.
    pub(crate) fn judge(&self, request: &Request) -> AnswerCheck {
        AnswerCheck {
            service: self.service,
            operation: request.operation,
            at_stake: request.at_stake,
            variable: self.variable,
        }
    }
}

/// Makes a call before `limit`, the earlier of the caller's deadline and the client's timeout.
///
/// Retries once, immediately, if the connection could not be opened, or broke and the request only reads. A changing request that was
/// sent is never repeated here: a service may ignore its idempotency key, so only a read of the target can tell whether it may be.
///
/// # Errors
/// `Unavailable` without a complete response, or `Misconfigured` if the server's certificate was refused.
pub(crate) async fn retried<F>(check: AnswerCheck, limit: Instant, attempt: impl Fn() -> F) -> Result<Answer, Error>
where
    F: Future<Output = Result<Answer, TransportError>>,
{
    if limit <= Instant::now() {
        let detail = "the deadline had passed before the call".to_owned();
        return Err(check.unreachable(TransportError::new(OutageKind::DeadlinePassed, false, detail)));
    }
    let once = async || {
        let answer = tokio::time::timeout_at(limit, attempt()).await;
        answer.unwrap_or_else(|_| Err(TransportError::timed_out()))
    };
    let first = match once().await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let may_repeat_effect = first.sent && check.at_stake == Effect::Unknown;
    if !first.kind.is_of_the_connection() || may_repeat_effect || limit <= Instant::now() {
        return Err(check.unreachable(first));
    }
    tracing::debug!(service = check.service, operation = check.operation, error = first.detail, "call.repeated");
    once().await.map_err(|mut second| {
        second.sent |= first.sent;
        check.unreachable(second)
    })
}

impl TransportError {
    fn from_reqwest(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let (kind, sent) = match (error.is_connect(), error.is_timeout()) {
            (true, _) if own::is_behind(&error) => (OutageKind::OwnTrouble, false),
            (false, _) if own::is_own_trouble(&error) => (OutageKind::OwnTrouble, true),
            // Refused, for example: worth an immediate retry. After a connect timeout the retry would time out too.
            (true, false) => (OutageKind::Connect, false),
            (true, true) => (OutageKind::Timeout, false),
            (false, true) => (OutageKind::Timeout, true),
            (false, false) => (OutageKind::Reset, true),
        };
        // Certificates that this process could not read refuse every server.
        let refused_certificate = refused_certificate(&error).filter(|_| kind != OutageKind::OwnTrouble);
        Self { kind, sent, detail: chain(&error), refused_certificate }
    }
}

fn headers(request: &Request, context: &CallContext) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert("accept", HeaderValue::from_static("application/json"));
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if let Some(key) = &context.idempotency_key {
        let invalid = |problem| Error::Invalid { field: "idempotency_key", problem };
        if key.len() > MAX_KEY_BYTES {
            return Err(invalid(format!("has {} bytes, expected at most {MAX_KEY_BYTES} in a header", key.len())));
        }
        let value = HeaderValue::from_str(key)
            .map_err(|_| invalid("must consist of visible ASCII characters to be sent as a header".to_owned()))?;
        headers.insert("idempotency-key", value);
    }
    if let Some(traceparent) = context.traceparent_header() {
        headers.insert("traceparent", traceparent);
    }
    Ok(headers)
}

/// Reads the response, with at most [`MAX_BODY_BYTES`] of body. Dropping a longer one closes the connection.
async fn read(mut response: reqwest::Response) -> Result<Answer, TransportError> {
    let mut answer = Answer {
        status: response.status().as_u16(),
        content_type: text(response.headers(), &CONTENT_TYPE),
        retry_after: text(response.headers(), &RETRY_AFTER),
        location: text(response.headers(), &LOCATION),
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
            // An error status decides the outcome; a truncated body must not turn it into another kind of outage.
            Err(_) if answer.status >= 300 => break,
            Err(error) => {
                let kind = if own::is_own_trouble(&error) { OutageKind::OwnTrouble } else { OutageKind::Reset };
                return Err(TransportError::new(kind, true, chain(&error.without_url())));
            }
        }
    }
    answer.body = Some(body);
    Ok(answer)
}

fn text(headers: &HeaderMap, name: &reqwest::header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
