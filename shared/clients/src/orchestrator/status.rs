//! What a gRPC status means for the caller.

use std::time::Duration;

use heal_proto::code_name;
use tonic::{Code, Status};

use super::SERVICE;
use super::rpc::ADDRESS;
use crate::error::{Effect, Error, Misconfiguration, Outage, OutageKind, Refusal, RefusalKind, chain, one_line};
use crate::grpc::SendError;

/// The metadata key in which the server says how long to wait before the next try (gRPC retry design, A6).
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// How gRPC's C core, and the languages over it, begin the message about an answer that exceeds the server's limit.
const ANSWER_TOO_LARGE: &str = "Sent message larger than max";
/// How tonic ends the message about an HTTP 429 without a gRPC status: without a body, and with one that is not a gRPC message.
const HTTP_TOO_MANY_REQUESTS: [&str; 2] =
    ["mapped from HTTP status code 429", "while receiving response with status: 429 Too Many Requests"];

/// The error for a status that is not a success, or for a call without an answer.
pub(super) fn error_from(operation: &'static str, at_stake: Effect, status: &Status) -> Error {
    if let Some(cause) = std::error::Error::source(status) {
        // This client made the status: the server did not answer.
        let fault = find_send_fault(cause);
        if fault.is_some_and(|fault| fault.is_foreign) {
            return Error::Misconfigured(Misconfiguration {
                service: SERVICE,
                operation,
                variable: ADDRESS,
                observed: format!("a server that does not speak gRPC ({})", chain(cause)),
                expected: "a server of `orchestrator.OrchestratorStrategic`".to_owned(),
            });
        }
        let sent = fault.is_none_or(|fault| fault.sent);
        let is_own_trouble = fault.is_some_and(|fault| fault.is_own_trouble);
        let outage = Outage {
            service: SERVICE,
            operation,
            kind: if is_own_trouble { OutageKind::OwnTrouble } else { OutageKind::Reset },
            retry_after: None,
            effect: if sent { at_stake } else { Effect::NotApplied },
            detail: chain(cause),
        };
        return outage.into_error();
    }
    match class(status.code()) {
        Class::Misfit => Error::Misconfigured(Misconfiguration {
            service: SERVICE,
            operation,
            variable: ADDRESS,
            observed: format!(
                "a server without this call ({}: {})",
                code_name(status.code()),
                one_line(status.message())
            ),
            expected: "a server of `orchestrator.OrchestratorStrategic`".to_owned(),
        }),
        Class::Transient(kind) => Error::Unavailable(Outage {
            service: SERVICE,
            operation,
            kind: if is_turned_away(status) { OutageKind::RateLimited } else { kind },
            retry_after: pushback(status),
            effect: if is_turned_away(status) { Effect::NotApplied } else { at_stake },
            detail: format!("{}: {}", code_name(status.code()), one_line(status.message())),
        }),
        Class::Permanent(kind) => Error::Refused(Refusal {
            service: SERVICE,
            operation,
            kind,
            code: code_name(status.code()).to_owned(),
            message: one_line(status.message()),
            // If an answer is too long to read, the call was applied.
            effect: if kind == RefusalKind::BadAnswer { at_stake } else { Effect::NotApplied },
        }),
    }
}

enum Class {
    /// Another server answers than the orchestrator, or one of another version.
    Misfit,
    Transient(OutageKind),
    Permanent(RefusalKind),
}

/// The fact sheet on wire contracts names four permanent and five transient codes. Of the others, a code about the request is
/// permanent and a code about the server is transient.
fn class(code: Code) -> Class {
    match code {
        Code::InvalidArgument => Class::Permanent(RefusalKind::BadRequest),
        Code::PermissionDenied | Code::Unauthenticated => Class::Permanent(RefusalKind::Forbidden),
        Code::FailedPrecondition | Code::AlreadyExists => Class::Permanent(RefusalKind::Precondition),
        Code::NotFound => Class::Permanent(RefusalKind::NotFound),
        Code::OutOfRange => Class::Permanent(RefusalKind::BadAnswer),
        Code::Unimplemented => Class::Misfit,
        Code::Ok => Class::Permanent(RefusalKind::Other),
        Code::DeadlineExceeded => Class::Transient(OutageKind::Timeout),
        Code::ResourceExhausted => Class::Transient(OutageKind::RateLimited),
        Code::Aborted => Class::Transient(OutageKind::Aborted),
        Code::Unavailable => Class::Transient(OutageKind::NotServing),
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Cancelled => Class::Transient(OutageKind::ServerError),
    }
}

/// Whether the server, or a proxy before it, turned the call away because of its load, before doing anything.
///
/// `RESOURCE_EXHAUSTED` says so (gRPC's `doc/statuscodes.md`: "server temporarily out of resources"), but for an answer that was too large to
/// send: by then the call was served. A proxy's HTTP 429 arrives as `UNAVAILABLE` (`doc/http-grpc-status-mapping.md`) or `INTERNAL`, which by
/// themselves may come after the effect; tonic keeps the HTTP status in the text.
fn is_turned_away(status: &Status) -> bool {
    let message = status.message();
    (status.code() == Code::ResourceExhausted && !message.starts_with(ANSWER_TOO_LARGE))
        || HTTP_TOO_MANY_REQUESTS.iter().any(|end| message.ends_with(end))
}

fn pushback(status: &Status) -> Option<Duration> {
    let wait = status.metadata().get(PUSHBACK)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_millis(wait))
}

fn find_send_fault<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a SendError> {
    let mut error = Some(error);
    while let Some(this) = error {
        if let Some(fault) = this.downcast_ref() {
            return Some(fault);
        }
        error = this.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_classified_as_in_the_contract() {
        for code in [Code::InvalidArgument, Code::PermissionDenied, Code::FailedPrecondition, Code::NotFound] {
            let error = error_from("op", Effect::Unknown, &Status::new(code, "no"));
            assert!(matches!(&error, Error::Refused(refusal) if refusal.code == code_name(code)), "{error}");
            assert_eq!(error.effect(), Effect::NotApplied);
        }
        for code in [Code::Unavailable, Code::DeadlineExceeded, Code::Aborted, Code::Internal, Code::Unknown] {
            let error = error_from("op", Effect::Unknown, &Status::new(code, "no"));
            assert!(error.is_unavailable(), "{error}");
            assert_eq!(error.effect(), Effect::Unknown);
        }
    }

    #[test]
    fn a_call_turned_away_for_load_was_not_applied() {
        let refused = [
            Status::new(Code::ResourceExhausted, "quota exceeded"),
            Status::new(Code::Unavailable, "grpc-status header missing, mapped from HTTP status code 429"),
        ];
        for status in refused {
            let error = error_from("op", Effect::Unknown, &status);
            let Error::Unavailable(outage) = &error else { panic!("{error}") };
            assert_eq!((outage.kind, outage.effect), (OutageKind::RateLimited, Effect::NotApplied), "{error}");
        }
        let served = [
            Status::new(Code::ResourceExhausted, "Sent message larger than max (5000000 vs. 4194304)"),
            Status::new(Code::Unavailable, "grpc-status header missing, mapped from HTTP status code 503"),
        ];
        for status in served {
            assert_eq!(error_from("op", Effect::Unknown, &status).effect(), Effect::Unknown, "{status}");
        }
    }

    #[test]
    fn a_call_that_the_server_does_not_have_is_a_wrong_address() {
        let error = error_from("op", Effect::Unknown, &Status::new(Code::Unimplemented, "no such service"));
        let Error::Misconfigured(misfit) = &error else { panic!("{error}") };
        assert!(misfit.variable.contains("ORCHESTRATOR_GRPC_PORT") && misfit.observed.contains("no such service"));
        assert_eq!(error.effect(), Effect::NotApplied);
    }

    #[test]
    fn the_servers_pushback_becomes_the_retry_delay() {
        let mut status = Status::new(Code::ResourceExhausted, "full");
        status.metadata_mut().insert(PUSHBACK, "1500".parse().unwrap());
        assert_eq!(error_from("op", Effect::Unknown, &status).retry_after(), Some(Duration::from_millis(1500)));
    }
}
