//! One HTTP exchange, bounded in time, size and retries: for the ticket client, the policy client and HTTP probes, and [`retried`] for any
//! transport.

mod answer;
mod certificate;
mod redirect;

use std::future::Future;
use std::time::Duration;

use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT,
};
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::client::legacy;
use tokio::time::Instant;
use tower::ServiceExt as _;
use tower::util::BoxCloneSyncService;
use url::Url;

use crate::call::CallContext;
use crate::connect::{self, CONNECT_TIMEOUT};
use crate::error::{Effect, Error, OutageKind, chain};
use crate::own;

pub(crate) use answer::{Answer, AnswerCheck, TransportError, is_json};
pub(crate) use certificate::refused_certificate;

/// Longest response body that is read.
pub(crate) const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Longest idempotency key that is sent: servers refuse a head of more than 8 KiB or so. The key of a ticket in a batch contains its id,
/// percent-encoded.
const MAX_KEY_BYTES: usize = 4 * 1024;

/// How this process names itself.
const NAME: HeaderValue = HeaderValue::from_static(concat!("self-healing-engine/", env!("CARGO_PKG_VERSION")));

const JSON: HeaderValue = HeaderValue::from_static("application/json");

type Message = http::Request<Full<Bytes>>;

/// The HTTP client of one service.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    client: BoxCloneSyncService<Message, Response<Incoming>, legacy::Error>,
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
        let mut tls = kube::Config::new(http::Uri::default());
        // Plain text: skip loading the system's root certificates, which a bare image lacks and a cold start pays for.
        tls.root_cert = base.starts_with("http://").then(Vec::new);
        let connector = connect::connector(&tls, CONNECT_TIMEOUT.min(timeout))
            .map_err(|error| Error::Invalid { field: "http client", problem: chain(&error) })?;
        let client = BoxCloneSyncService::new(connect::client().build(connector));
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
        let message = message(request, context)?;
        retried(self.judge(request), context.limit(self.timeout), || self.attempt(message.clone())).await
    }

    async fn attempt(&self, message: Message) -> Result<Answer, TransportError> {
        let response = self.client.clone().oneshot(message).await;
        read(response.map_err(|error| TransportError::of_client(&error))?).await
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
    /// The error of a call that got no head of a response.
    pub(crate) fn of_client(error: &(dyn std::error::Error + 'static)) -> Self {
        let detail = chain(error);
        let connecting = own::causes(error)
            .find(|cause| cause.downcast_ref::<legacy::Error>().is_some_and(legacy::Error::is_connect));
        match connecting {
            Some(unopened) if own::is_behind(unopened) => Self::new(OutageKind::OwnTrouble, false, detail),
            // Refused, for example: worth an immediate retry. After a connect timeout the retry would time out too.
            Some(unopened) => {
                let kind = if is_timeout(unopened) { OutageKind::Timeout } else { OutageKind::Connect };
                Self { refused_certificate: refused_certificate(unopened), ..Self::new(kind, false, detail) }
            }
            None if own::is_own_trouble(error) => Self::new(OutageKind::OwnTrouble, true, detail),
            None => Self::new(OutageKind::Reset, true, detail),
        }
    }
}

fn is_timeout(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut errors = own::causes(error).filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    errors.any(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

fn message(request: &Request, context: &CallContext) -> Result<Message, Error> {
    let body = request.body.clone().unwrap_or_default();
    let message = http::Request::builder().method(request.method.clone()).uri(request.url.as_str());
    let mut message = message
        .body(Full::from(body))
        .map_err(|error| Error::Invalid { field: "url", problem: format!("{}: {}", request.url, chain(&error)) })?;
    *message.headers_mut() = headers(request, context)?;
    Ok(message)
}

fn headers(request: &Request, context: &CallContext) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, NAME);
    headers.insert(ACCEPT, JSON);
    if request.body.is_some() {
        headers.insert(CONTENT_TYPE, JSON);
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
pub(crate) async fn read<B>(response: Response<B>) -> Result<Answer, TransportError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + 'static,
{
    let (parts, mut body) = response.into_parts();
    let mut answer = Answer {
        status: parts.status.as_u16(),
        content_type: text(&parts.headers, &CONTENT_TYPE),
        retry_after: text(&parts.headers, &RETRY_AFTER),
        location: text(&parts.headers, &LOCATION),
        body: None,
    };
    let announced = text(&parts.headers, &CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|length| usize::try_from(length).map_or(true, |length| length > MAX_BODY_BYTES)) {
        return Ok(answer);
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => {
                let data = frame.into_data().unwrap_or_default();
                if bytes.len() + data.len() > MAX_BODY_BYTES {
                    return Ok(answer);
                }
                bytes.extend_from_slice(&data);
            }
            // An error status decides the outcome; a truncated body must not turn it into another kind of outage.
            Err(_) if answer.status >= 300 => break,
            Err(error) => {
                let kind = if own::is_own_trouble(&error) { OutageKind::OwnTrouble } else { OutageKind::Reset };
                return Err(TransportError::new(kind, true, chain(&error)));
            }
        }
    }
    answer.body = Some(bytes);
    Ok(answer)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
