//! The interpretation of HTTP responses and of their absence, the same for every service.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::MAX_BODY_BYTES;
use crate::error::{Effect, Error, Misconfiguration, Outage, OutageKind, Refusal, RefusalKind, one_line};

/// A complete HTTP response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
    pub location: Option<String>,
    /// `None` if it exceeds [`MAX_BODY_BYTES`].
    pub body: Option<Vec<u8>>,
}

/// No complete response arrived.
pub(crate) struct TransportError {
    pub kind: OutageKind,
    /// Whether the service may have received the request.
    pub sent: bool,
    pub detail: String,
    /// Why the server's certificate was refused, if that is the cause.
    pub refused_certificate: Option<String>,
}

impl TransportError {
    /// The time of the call ended first.
    pub(crate) fn timed_out() -> Self {
        Self::new(OutageKind::Timeout, true, "no complete response within the timeout of the call".to_owned())
    }

    /// An error with another cause than a certificate.
    pub(crate) fn new(kind: OutageKind, sent: bool, detail: String) -> Self {
        Self { kind, sent, detail, refused_certificate: None }
    }
}

/// Interprets the response to one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AnswerCheck {
    pub service: &'static str,
    pub operation: &'static str,
    /// The effect that a lost response leaves open.
    pub at_stake: Effect,
    /// The variable that configures where the service is; without one, a refused certificate is an outage like any other.
    pub variable: Option<&'static str>,
}

/// Longest `Retry-After` that is respected: the engine retries within that time anyway.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(15);

impl AnswerCheck {
    /// Decodes the body of a 2xx response as JSON.
    pub(crate) fn json<T: DeserializeOwned>(self, answer: Answer) -> Result<T, Error> {
        let answer = self.good(answer)?;
        let is_json = answer.content_type.as_deref().is_some_and(is_json);
        if !is_json {
            let found = answer.content_type.as_deref().unwrap_or("none");
            return Err(self.bad_answer(answer.status, &format!("content type is {found}, expected application/json")));
        }
        let Some(body) = answer.body else {
            return Err(self.bad_answer(answer.status, &format!("body is over the limit of {MAX_BODY_BYTES} bytes")));
        };
        serde_json::from_slice(&body)
            .map_err(|error| self.bad_answer(answer.status, &format!("failed to decode the body: {error}")))
    }

    /// Passes a 2xx response on; every other status is an error.
    pub(crate) fn good(self, answer: Answer) -> Result<Answer, Error> {
        match answer.status {
            200..=299 => Ok(answer),
            408 => Err(self.outage(OutageKind::RequestTimeout, self.at_stake, &answer)),
            429 => Err(self.outage(OutageKind::RateLimited, Effect::NotApplied, &answer)),
            502..=504 => Err(self.outage(OutageKind::NotServing, self.at_stake, &answer)),
            500..=599 => Err(self.outage(OutageKind::ServerError, self.at_stake, &answer)),
            status => Err(Error::Refused(Refusal {
                service: self.service,
                operation: self.operation,
                kind: refusal_kind(status),
                code: status.to_string(),
                message: message(&answer),
                effect: Effect::NotApplied,
            })),
        }
    }

    /// The error of a 2xx response that cannot be decoded: its effect stays unknown.
    pub(crate) fn bad_answer(self, status: u16, problem: &str) -> Error {
        Error::Refused(Refusal {
            service: self.service,
            operation: self.operation,
            kind: RefusalKind::BadAnswer,
            code: status.to_string(),
            message: one_line(problem),
            effect: self.at_stake,
        })
    }

    /// The error of a response that redirects to where the call does not follow; `problem` says why not.
    pub(crate) fn redirected(self, status: u16, problem: &str) -> Error {
        Error::Refused(Refusal {
            service: self.service,
            operation: self.operation,
            kind: RefusalKind::Redirect,
            code: status.to_string(),
            message: one_line(problem),
            effect: Effect::NotApplied,
        })
    }

    /// The error of a call that got no complete response.
    pub(crate) fn unreachable(self, error: TransportError) -> Error {
        if let (Some(problem), Some(variable)) = (&error.refused_certificate, self.variable) {
            let expected = "a certificate for this address, of an authority that this process trusts".to_owned();
            return Error::Misconfigured(Misconfiguration {
                service: self.service,
                operation: self.operation,
                variable,
                observed: format!("a server whose certificate is refused ({problem})"),
                expected,
            });
        }
        let outage = Outage {
            service: self.service,
            operation: self.operation,
            kind: error.kind,
            retry_after: None,
            effect: if error.sent { self.at_stake } else { Effect::NotApplied },
            detail: error.detail,
        };
        outage.into_error()
    }

    fn outage(self, kind: OutageKind, effect: Effect, answer: &Answer) -> Error {
        Error::Unavailable(Outage {
            service: self.service,
            operation: self.operation,
            kind,
            retry_after: answer.retry_after.as_deref().and_then(retry_after),
            effect,
            detail: format!("answered {}: {}", answer.status, message(answer)),
        })
    }
}

/// The message of an error response: a usual field of a JSON body, or the start of a plain text.
fn message(answer: &Answer) -> String {
    if (300..=399).contains(&answer.status) {
        let place = answer.location.as_deref().unwrap_or("nowhere");
        return one_line(&format!("redirected to {place}, which is not followed"));
    }
    let body = answer.body.as_deref().unwrap_or_default();
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) {
        for field in ["message", "detail", "error"] {
            match json.get(field) {
                Some(serde_json::Value::String(text)) => return one_line(text),
                Some(serde_json::Value::Null) | None => {}
                Some(other) => return one_line(&other.to_string()),
            }
        }
    }
    match answer.content_type.as_deref() {
        Some(kind) if kind.starts_with("text/plain") || is_json(kind) => one_line(&String::from_utf8_lossy(body)),
        Some(_) | None => "no message".to_owned(),
    }
}

fn refusal_kind(status: u16) -> RefusalKind {
    match status {
        300..=399 => RefusalKind::Redirect,
        400 | 422 => RefusalKind::BadRequest,
        401 | 403 => RefusalKind::Forbidden,
        404 | 410 => RefusalKind::NotFound,
        409 | 412 | 423 | 428 => RefusalKind::Precondition,
        _ => RefusalKind::Other,
    }
}

/// `application/json`, or a media type with the suffix `+json`.
pub(crate) fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// `Retry-After`: seconds, or an HTTP date (RFC 9110, 10.2.3).
fn retry_after(value: &str) -> Option<Duration> {
    let value = value.trim();
    let wait = if let Ok(seconds) = value.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let at = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
        Duration::try_from(at.duration_since(jiff::Timestamp::now())).unwrap_or(Duration::ZERO)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("999999"), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(retry_after("Tue, 31 Dec 2199 23:59:59 GMT"), Some(MAX_RETRY_AFTER));
        assert_eq!(retry_after("soon"), None);
    }

    #[test]
    fn json_is_recognised_by_its_media_type_alone() {
        assert!(is_json("application/json; charset=utf-8"));
        assert!(is_json("Application/Problem+JSON"));
        assert!(!is_json("text/html"));
        assert!(!is_json("text/json"));
        assert!(!is_json("application/jsonp"));
    }
}
