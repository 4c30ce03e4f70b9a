//! Why a call to AWS failed, one variant per condition that a caller treats differently.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};

use crate::text::{chain, one_line};

/// Why a call failed. `what` names the subject: `secret spiffe/engine`, `EKS cluster prod`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A setting is missing or wrong; nothing was sent.
    #[error("{field}: {problem}")]
    Invalid {
        /// The setting.
        field: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// No credentials were found; nothing was sent.
    #[error("found no AWS credentials: {0}")]
    NoCredentials(String),
    /// The subject does not exist.
    #[error("{what} does not exist: {message}")]
    NotFound {
        /// The subject of the call.
        what: String,
        /// The service's message, on one line.
        message: String,
    },
    /// The credentials are invalid, or lack the permission.
    #[error("{what}: access denied: {message}")]
    Denied {
        /// The subject of the call.
        what: String,
        /// The service's message, on one line.
        message: String,
    },
    /// Too many calls; a later try may succeed.
    #[error("{what}: throttled: {message}")]
    Throttled {
        /// The subject of the call.
        what: String,
        /// The service's message, on one line.
        message: String,
    },
    /// No answer, or a server error; a later try may succeed.
    #[error("{what} is unavailable: {problem}")]
    Unavailable {
        /// The subject of the call.
        what: String,
        /// What is wrong.
        problem: String,
    },
    /// Refused for another reason; a later try fails again.
    #[error("{what}: refused ({code}): {message}")]
    Refused {
        /// The subject of the call.
        what: String,
        /// AWS's error code, or the status.
        code: String,
        /// The service's message, on one line.
        message: String,
    },
    /// The answer lacks what was asked for, or the request cannot be built.
    #[error("{what}: {problem}")]
    Unusable {
        /// The subject of the call.
        what: String,
        /// What is wrong.
        problem: String,
    },
}

/// An error answer: HTTP status, AWS's error code and its message.
pub(crate) struct ErrorAnswer<'a> {
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

    /// The code takes precedence over the status: some services report throttling as 400, others as 429.
    pub(crate) fn from_answer(what: String, fault: &ErrorAnswer<'_>) -> Self {
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

    /// Converts an error of an SDK client.
    pub(crate) fn from_sdk<E>(what: String, error: &SdkError<E>) -> Self
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
                Self::from_answer(what, &ErrorAnswer { status, code: meta.code(), message: meta.message() })
            }
            SdkError::ConstructionFailure(_) => Self::Unusable { what, problem: chain(error) },
            // The enum is non-exhaustive. Any other kind has no answer either.
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) | _ => {
                Self::Unavailable { what, problem: chain(error) }
            }
        }
    }
}

/// The first error of type `C` in the chain of causes.
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
        Error::from_answer("x".to_owned(), &ErrorAnswer { status, code: Some(code), message: Some("m\nn") })
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
        assert_eq!(of(503, "").to_string(), "x is unavailable: status 503: m n");
    }

    #[test]
    fn only_throttling_and_unavailability_are_transient() {
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
