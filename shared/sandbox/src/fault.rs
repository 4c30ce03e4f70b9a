//! Faults to inject into a service: on every call, on one operation, or on the next few calls.

mod answer;
mod board;

use serde::{Deserialize, Serialize};

pub(crate) use answer::{drip, empty, grpc_status, huge, redirect};
pub(crate) use board::FaultBoard;

use crate::service::Service;

/// The largest body that [`FaultKind::HugeBody`] streams, in bytes (4 GiB).
pub const HUGE_BODY_LIMIT_BYTES: u64 = 4 << 30;
/// The longest delay of a fault, in milliseconds (one hour).
pub const DELAY_LIMIT_MS: u64 = 3_600_000;

/// One fault of one service.
///
/// A fault of one operation takes precedence over a fault of the whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The faulty service.
    pub service: Service,
    /// The one faulty operation (see [`Service::operations`]); `None` means every call of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The number of calls that fail; `None` means until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// What happens to a call.
    pub fault: FaultKind,
}

impl Fault {
    /// `fault` on every call of `service` until cleared.
    pub fn new(service: Service, fault: FaultKind) -> Self {
        Self { service, operation: None, calls: None, fault }
    }

    /// Limits the fault to `operation`.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Limits the fault to the next `calls` calls.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.calls = Some(calls);
        self
    }
}

/// What happens to a call of a faulty service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Not performed. For a whole service until cleared, connections are refused; otherwise the connection is reset.
    Refuse,
    /// Not performed and never answered.
    Hang,
    /// Not performed; answered with an HTTP status. Also for gRPC, where a proxy may answer so.
    Status {
        /// 200 to 599.
        code: u16,
        /// The `Retry-After` header, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u64>,
    },
    /// Not performed; answered with a gRPC status. Orchestrator only.
    GrpcStatus {
        /// The name of the code, such as `UNAVAILABLE`.
        code: String,
        /// The status message.
        #[serde(default)]
        message: String,
    },
    /// Performed; then answered with a gRPC status. Orchestrator only.
    AbortAfterEffect {
        /// The name of the code, such as `UNKNOWN`.
        #[serde(default = "unknown_code")]
        code: String,
        /// The status message.
        #[serde(default)]
        message: String,
    },
    /// Performed; then answered with an HTTP status.
    StatusAfterEffect {
        /// 200 to 599.
        code: u16,
    },
    /// Performed; then the connection is reset instead of a response.
    DropAnswer,
    /// Performed; the response is delayed.
    Slow {
        /// The delay, in milliseconds.
        by_ms: u64,
    },
    /// Performed unless `body` is given; the response claims this content type.
    WrongContentType {
        /// The claimed type.
        #[serde(default = "html")]
        content_type: String,
        /// Sent with status 200 instead of performing the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// Performed; the response body is a stream of this many bytes.
    HugeBody {
        /// The size of the body, in bytes.
        bytes: u64,
    },
    /// Performed; the response body is sent byte by byte.
    Drip {
        /// The pause between two bytes, in milliseconds.
        #[serde(default = "drip_interval")]
        interval_ms: u64,
    },
    /// Not performed; answered with a redirect.
    Redirect {
        /// The `Location` header: an absolute http URL of a loopback address.
        location: String,
        /// 301, 302, 303, 307 or 308.
        #[serde(default = "temporary_redirect")]
        status: u16,
    },
}

fn unknown_code() -> String {
    "UNKNOWN".to_owned()
}

fn html() -> String {
    "text/html".to_owned()
}

fn drip_interval() -> u64 {
    10
}

fn temporary_redirect() -> u16 {
    307
}

impl FaultKind {
    /// The name in JSON and in the journal.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Hang => "hang",
            Self::Status { .. } => "status",
            Self::GrpcStatus { .. } => "grpc_status",
            Self::AbortAfterEffect { .. } => "abort_after_effect",
            Self::StatusAfterEffect { .. } => "status_after_effect",
            Self::DropAnswer => "drop_answer",
            Self::Slow { .. } => "slow",
            Self::WrongContentType { .. } => "wrong_content_type",
            Self::HugeBody { .. } => "huge_body",
            Self::Drip { .. } => "drip",
            Self::Redirect { .. } => "redirect",
        }
    }
}

/// Why a fault cannot be injected. The text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}, found {found}")]
pub struct FaultError {
    /// The field, such as `fault.status.code`.
    pub field: &'static str,
    /// The expected value.
    pub expected: String,
    /// The value found.
    pub found: String,
}

impl Fault {
    /// Checks that the service can have this fault.
    pub fn check(&self) -> Result<(), FaultError> {
        if let Some(operation) = &self.operation {
            let known = self.service.operations();
            if !known.contains(&operation.as_str()) {
                let expected = format!("expected one of {} of {}", known.join(", "), self.service);
                return error("operation", &expected, operation);
            }
        }
        if self.calls == Some(0) {
            return error("calls", "expected at least 1", &0);
        }
        match &self.fault {
            FaultKind::Status { code, .. } if !(200..600).contains(code) => {
                error("fault.status.code", "expected an HTTP status from 200 to 599", code)
            }
            FaultKind::StatusAfterEffect { code } if !(200..600).contains(code) => {
                error("fault.status_after_effect.code", "expected an HTTP status from 200 to 599", code)
            }
            FaultKind::GrpcStatus { code, .. } => {
                self.check_grpc(["fault.grpc_status", "fault.grpc_status.code"], code)
            }
            FaultKind::AbortAfterEffect { code, .. } => {
                self.check_grpc(["fault.abort_after_effect", "fault.abort_after_effect.code"], code)
            }
            FaultKind::Slow { by_ms } if *by_ms > DELAY_LIMIT_MS => {
                error("fault.slow.by_ms", &format!("expected at most {DELAY_LIMIT_MS} ms"), by_ms)
            }
            FaultKind::Drip { interval_ms } if *interval_ms > DELAY_LIMIT_MS => {
                let expected = format!("expected at most {DELAY_LIMIT_MS} ms");
                error("fault.drip.interval_ms", &expected, interval_ms)
            }
            FaultKind::HugeBody { bytes } if *bytes > HUGE_BODY_LIMIT_BYTES => {
                let expected = format!("expected at most {HUGE_BODY_LIMIT_BYTES} bytes");
                error("fault.huge_body.bytes", &expected, bytes)
            }
            FaultKind::WrongContentType { content_type, .. } if http::HeaderValue::from_str(content_type).is_err() => {
                error("fault.wrong_content_type.content_type", "expected a header value", content_type)
            }
            FaultKind::Redirect { status, .. } if ![301, 302, 303, 307, 308].contains(status) => {
                error("fault.redirect.status", "expected 301, 302, 303, 307 or 308", status)
            }
            FaultKind::Redirect { location, .. } if !answer::is_loopback(location) => {
                let expected = "expected an absolute http URL of a loopback address";
                error("fault.redirect.location", expected, location)
            }
            FaultKind::Refuse
            | FaultKind::Hang
            | FaultKind::Status { .. }
            | FaultKind::StatusAfterEffect { .. }
            | FaultKind::DropAnswer
            | FaultKind::Slow { .. }
            | FaultKind::WrongContentType { .. }
            | FaultKind::HugeBody { .. }
            | FaultKind::Drip { .. }
            | FaultKind::Redirect { .. } => Ok(()),
        }
    }

    /// Checks a gRPC status; `fields` names the fault and its code.
    fn check_grpc(&self, fields: [&'static str; 2], code: &str) -> Result<(), FaultError> {
        if self.service != Service::Orchestrator {
            return error(fields[0], "expected only for the service orchestrator", &code);
        }
        match answer::grpc_code(code) {
            Some(_) => Ok(()),
            None => error(fields[1], "expected a gRPC code name such as UNAVAILABLE", &code),
        }
    }
}

fn error(field: &'static str, expected: &str, found: &dyn std::fmt::Display) -> Result<(), FaultError> {
    Err(FaultError { field, expected: expected.to_owned(), found: format!("`{found}`") })
}
