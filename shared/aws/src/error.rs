//! What can go wrong with a call to AWS, as far as a caller could treat it differently.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};

use crate::text::{chain, one_line};

/// A call that did not give what was asked for. `what` says of whom: `secret spiffe/engine`, `EKS cluster prod`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting is missing or wrong. Nothing was sent.
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String },
    /// Nobody to call as. Nothing was sent.
    #[error("no AWS credentials: {0}")]
    NoCredentials(String),
    #[error("{what} does not exist: {message}")]
    NotFound { what: String, message: String },
    /// The credentials are not accepted, or may not do this.
    #[error("{what}: access denied: {message}")]
    Denied { what: String, message: String },
    /// Too many calls: a later try may succeed.
    #[error("{what}: throttled: {message}")]
    Throttled { what: String, message: String },
    /// No answer, or one that says that the service is not well: a later try may succeed.
    #[error("{what}: out of reach: {problem}")]
    Unavailable { what: String, problem: String },
    /// Turned down for another reason: trying again gives the same.
    #[error("{what}: refused ({code}): {message}")]
    Refused { what: String, code: String, message: String },
    /// An answer, but not what was asked for.
    #[error("{what}: {problem}")]
    Unusable { what: String, problem: String },
}

/// An answer that is an error: what AWS calls it, and what it says.
pub(crate) struct Fault<'a> {
    pub status: u16,
    pub code: Option<&'a str>,
    pub message: Option<&'a str>,
}

impl Error {
    /// Whether a later try may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. } | Self::Unavailable { .. } => true,
            Self::Invalid { .. }
            | Self::NoCredentials(_)
            | Self::NotFound { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Unusable { .. } => false,
        }
    }

    /// The code is AWS's own word and goes before the status: throttling comes as 400 from some services and as 429 from others.
    pub(crate) fn of_answer(what: String, fault: &Fault<'_>) -> Self {
        let code = fault.code.unwrap_or_default();
        let message = one_line(fault.message.filter(|text| !text.is_empty()).unwrap_or("no message"));
        match (code, fault.status) {
            (
                "Throttling"
                | "ThrottlingException"
                | "ThrottledException"
                | "TooManyRequestsException"
                | "RequestLimitExceeded"
                | "RequestThrottled"
                | "RequestThrottledException"
                | "SlowDown",
                _,
            )
            | (_, 429) => Self::Throttled { what, message },
            (_, 500..) => Self::Unavailable { what, problem: format!("status {}: {message}", fault.status) },
            ("ResourceNotFoundException" | "QueueDoesNotExist" | "AWS.SimpleQueueService.NonExistentQueue", _)
            | (_, 404) => Self::NotFound { what, message },
            (
                "AccessDenied"
                | "AccessDeniedException"
                | "ExpiredToken"
                | "ExpiredTokenException"
                | "IncompleteSignature"
                | "IncompleteSignatureException"
                | "InvalidClientTokenId"
                | "InvalidSignatureException"
                | "MissingAuthenticationToken"
                | "MissingAuthenticationTokenException"
                | "NotAuthorized"
                | "SignatureDoesNotMatch"
                | "UnrecognizedClientException",
                _,
            )
            | (_, 401 | 403) => Self::Denied { what, message },
            ("", status) => Self::Refused { what, code: format!("status {status}"), message },
            (code, _) => Self::Refused { what, code: one_line(code), message },
        }
    }

    /// An error of one of the SDK's clients.
    pub(crate) fn of_sdk<E>(what: String, error: &SdkError<E>) -> Self
    where
        E: StdError + ProvideErrorMetadata + 'static,
    {
        if let Some(cause) = find::<CredentialsError>(error) {
            return Self::NoCredentials(chain(cause));
        }
        match error {
            SdkError::ServiceError(service) => {
                let meta = service.err().meta();
                let status = service.raw().status().as_u16();
                Self::of_answer(what, &Fault { status, code: meta.code(), message: meta.message() })
            }
            SdkError::ConstructionFailure(_) => Self::Unusable { what, problem: chain(error) },
            // Whatever else there may come to be: no answer that one could go by.
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | _ => {
                Self::Unavailable { what, problem: chain(error) }
            }
        }
    }
}

/// The first cause of that kind.
fn find<'a, C: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a C> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<C>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: &str) -> Error {
        Error::of_answer("x".to_owned(), &Fault { status, code: Some(code), message: Some("m\nn") })
    }

    #[test]
    fn the_code_goes_before_the_status() {
        let message = "m n".to_owned();
        let what = "x".to_owned();
        assert_eq!(of(400, "ThrottlingException"), Error::Throttled { what: what.clone(), message: message.clone() });
        assert_eq!(
            of(400, "ResourceNotFoundException"),
            Error::NotFound { what: what.clone(), message: message.clone() }
        );
        assert_eq!(of(400, "ExpiredTokenException"), Error::Denied { what: what.clone(), message: message.clone() });
        assert_eq!(of(400, "DecryptionFailure").to_string(), "x: refused (DecryptionFailure): m n");
        assert_eq!(of(403, "Anything"), Error::Denied { what: what.clone(), message: message.clone() });
        assert_eq!(of(429, ""), Error::Throttled { what: what.clone(), message });
        assert_eq!(of(418, "").to_string(), "x: refused (status 418): m n");
        assert_eq!(of(503, "").to_string(), "x: out of reach: status 503: m n");
    }

    #[test]
    fn only_what_may_pass_is_transient() {
        for (error, transient) in [
            (of(400, "ThrottlingException"), true),
            (of(500, "InternalServiceError"), true),
            (of(404, ""), false),
            (of(403, ""), false),
            (of(400, "ValidationException"), false),
            (Error::NoCredentials(String::new()), false),
        ] {
            assert_eq!(error.is_transient(), transient, "{error}");
        }
    }
}
