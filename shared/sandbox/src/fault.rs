//! Faults that a service can be told to have: on every call, on one operation, or on the next few calls.

mod answer;
mod board;

use serde::{Deserialize, Serialize};

pub(crate) use answer::{drip, empty, grpc_name, huge, redirect, reply};
pub(crate) use board::FaultBoard;

use crate::service::Service;

/// The largest body that [`FaultKind::HugeBody`] streams, in bytes (4 GiB).
pub const HUGE_BODY_LIMIT_BYTES: u64 = 4 << 30;
/// The longest delay of a fault, in milliseconds (one hour).
pub const DELAY_LIMIT_MS: u64 = 3_600_000;

/// One fault of one service.
///
/// A fault of an operation goes before a fault of the whole service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// The service that has it.
    pub service: Service,
    /// Only this operation (see [`Service::operations`]); absent: every call of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only the next so many calls; absent: until cleared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<u64>,
    /// What happens.
    pub fault: FaultKind,
}

impl Fault {
    /// `fault` on every call of `service`, until cleared.
    pub fn new(service: Service, fault: FaultKind) -> Self {
        Self { service, operation: None, calls: None, fault }
    }

    /// Only on calls of `operation`.
    #[must_use]
    pub fn on(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    /// Only on the next `calls` calls.
    #[must_use]
    pub fn times(mut self, calls: u64) -> Self {
        self.calls = Some(calls);
        self
    }
}

/// What a faulty service does with a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultKind {
    /// Not performed. On a whole service until cleared, connecting is refused; else the connection is reset at once.
    Refuse,
    /// Not performed, never answered.
    Hang,
    /// Not performed; answered with an HTTP status. Legal for gRPC too: so does a proxy in between.
    Status {
        /// 200 to 599.
        code: u16,
        /// The `Retry-After` header, in seconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_seconds: Option<u64>,
    },
    /// Not performed; answered with a gRPC status. Of the orchestrator alone.
    GrpcStatus {
        /// The code's name, as `UNAVAILABLE`.
        code: String,
        /// The status message.
        #[serde(default)]
        message: String,
    },
    /// Performed; then the connection is reset instead of an answer.
    DropAnswer,
    /// Performed; the answer comes so much later.
    Slow {
        /// Milliseconds.
        by_ms: u64,
    },
    /// Performed unless `body` is given; the answer claims this content type.
    WrongContentType {
        /// The claimed type.
        #[serde(default = "html")]
        content_type: String,
        /// Sent instead of the true answer, with status 200; the call is then not performed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// Performed; the answer's body is a stream of so many bytes.
    HugeBody {
        /// Bytes.
        bytes: u64,
    },
    /// Performed; the answer's body comes byte by byte.
    Drip {
        /// Between two bytes, in milliseconds.
        #[serde(default = "drip_interval")]
        interval_ms: u64,
    },
    /// Not performed; answered with a redirect.
    Redirect {
        /// The `Location`: an absolute http URL of a loopback address.
        location: String,
        /// 301, 302, 303, 307 or 308.
        #[serde(default = "temporary_redirect")]
        status: u16,
    },
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
    /// The name in the journal and in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Hang => "hang",
            Self::Status { .. } => "status",
            Self::GrpcStatus { .. } => "grpc_status",
            Self::DropAnswer => "drop_answer",
            Self::Slow { .. } => "slow",
            Self::WrongContentType { .. } => "wrong_content_type",
            Self::HugeBody { .. } => "huge_body",
            Self::Drip { .. } => "drip",
            Self::Redirect { .. } => "redirect",
        }
    }
}

/// Why a fault cannot be set; the text names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}, found {found}")]
pub struct FaultError {
    /// The field, as `fault.status.code`.
    pub field: &'static str,
    /// What would be right.
    pub expected: String,
    /// What was there.
    pub found: String,
}

impl Fault {
    /// Whether the service can have this fault.
    pub fn check(&self) -> Result<(), FaultError> {
        let error = |field, expected: &str, found: &dyn std::fmt::Display| {
            Err(FaultError { field, expected: expected.to_owned(), found: format!("`{found}`") })
        };
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
            FaultKind::GrpcStatus { code, .. } if self.service != Service::Orchestrator => {
                error("fault.grpc_status", "expected only for the service orchestrator", code)
            }
            FaultKind::GrpcStatus { code, .. } if answer::grpc_code(code).is_none() => {
                error("fault.grpc_status.code", "expected a gRPC code name such as UNAVAILABLE", code)
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
            | FaultKind::GrpcStatus { .. }
            | FaultKind::DropAnswer
            | FaultKind::Slow { .. }
            | FaultKind::WrongContentType { .. }
            | FaultKind::HugeBody { .. }
            | FaultKind::Drip { .. }
            | FaultKind::Redirect { .. } => Ok(()),
        }
    }
}
