//! What an answer means, once, for every service over HTTP.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::MAX_BODY_BYTES;
use crate::error::{Effect, Error, Outage, OutageKind, Refusal, RefusalKind, one_line};

/// A whole answer of a service.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub content_type: Option<String>,
    pub retry_after: Option<String>,
    /// `None`: longer than is read.
    pub body: Option<Vec<u8>>,
}

/// Reads an answer as JSON, or says why it is none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judge {
    pub service: &'static str,
    pub operation: &'static str,
    pub at_stake: Effect,
}

/// Longest wait that is taken from a service: what is further away is the engine's next try anyway.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(15);

impl Judge {
    /// The answer's JSON, where the status is a good one.
    pub(crate) fn json<T: DeserializeOwned>(self, answer: Answer) -> Result<T, Error> {
        let answer = self.good(answer)?;
        let is_json = answer.content_type.as_deref().is_some_and(is_json);
        if !is_json {
            let found = answer.content_type.as_deref().unwrap_or("none");
            return Err(self.bad_answer(answer.status, &format!("content type is {found}, expected application/json")));
        }
        let Some(body) = answer.body else {
            return Err(self.bad_answer(answer.status, &format!("body is over {MAX_BODY_BYTES} bytes")));
        };
        serde_json::from_slice(&body)
            .map_err(|error| self.bad_answer(answer.status, &format!("body cannot be read: {error}")))
    }

    /// The answer itself, where the status is a good one.
    pub(crate) fn good(self, answer: Answer) -> Result<Answer, Error> {
        match answer.status {
            200..=299 => Ok(answer),
            408 => Err(self.outage(OutageKind::RequestTimeout, self.at_stake, &answer)),
            429 => Err(self.outage(OutageKind::RateLimited, Effect::NotApplied, &answer)),
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

    /// An answer with a good status that says nothing we can read: what it did stays open.
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

    fn outage(self, kind: OutageKind, effect: Effect, answer: &Answer) -> Error {
        Error::Unavailable(Outage {
            service: self.service,
            operation: self.operation,
            kind,
            retry_after: answer.retry_after.as_deref().and_then(retry_after),
            effect,
            detail: format!("HTTP {}: {}", answer.status, message(answer)),
        })
    }
}

/// What the service said of it: the usual fields of an error body, or the start of a text.
fn message(answer: &Answer) -> String {
    if (300..=399).contains(&answer.status) {
        return "redirects are not followed".to_owned();
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

/// `application/json`, or a format built on it.
fn is_json(content_type: &str) -> bool {
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
    fn json_is_known_by_its_media_type_alone() {
        assert!(is_json("application/json; charset=utf-8"));
        assert!(is_json("Application/Problem+JSON"));
        assert!(!is_json("text/html"));
        assert!(!is_json("text/json"));
        assert!(!is_json("application/jsonp"));
    }
}
