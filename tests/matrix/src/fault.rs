//! The faults of the matrix, and how each service shows them.

use heal_sandbox::{FaultKind, Service};

use crate::settings::RETRY_AFTER_SECONDS;

/// One way in which a service fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection.
    Refuse,
    /// No answer.
    Hang,
    /// 500, or `INTERNAL`.
    ServerError,
    /// 429 with `Retry-After`, or `RESOURCE_EXHAUSTED`.
    TooMany,
    /// The call is performed, its answer is lost.
    AnswerLost,
    /// The call is performed, then the service reports a failure.
    Aborted,
    /// The service speaks otherwise than configured.
    WrongDialect,
    /// The configured address is another one.
    WrongAddress,
    /// The server proves another identity than the expected one.
    Impostor,
    /// No connection, and nothing that decides in the policy server's place: fail closed.
    UndecidedClosed,
    /// No connection, and nothing that decides in the policy server's place: fail open.
    UndecidedOpen,
}

/// How long a fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// From the start of the run to its end, on every call.
    WholeRun,
    /// On the first call that changes something; for the policy server, on the first question.
    FirstChange,
}

impl Fault {
    /// Every fault, in the order of the page.
    pub const ALL: [Self; 11] = [
        Self::Refuse,
        Self::Hang,
        Self::ServerError,
        Self::TooMany,
        Self::AnswerLost,
        Self::Aborted,
        Self::WrongDialect,
        Self::WrongAddress,
        Self::Impostor,
        Self::UndecidedClosed,
        Self::UndecidedOpen,
    ];

    /// The word on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Hang => "hang",
            Self::ServerError => "500",
            Self::TooMany => "429",
            Self::AnswerLost => "answer lost",
            Self::Aborted => "aborted",
            Self::WrongDialect => "wrong dialect",
            Self::WrongAddress => "wrong address",
            Self::Impostor => "impostor",
            Self::UndecidedClosed => "undecided, closed",
            Self::UndecidedOpen => "undecided, open",
        }
    }

    /// Whether the fault is one of the settings, which last until somebody changes them.
    pub fn is_of_settings(self) -> bool {
        match self {
            Self::WrongDialect | Self::WrongAddress | Self::Impostor | Self::UndecidedClosed | Self::UndecidedOpen => {
                true
            }
            Self::Refuse | Self::Hang | Self::ServerError | Self::TooMany | Self::AnswerLost | Self::Aborted => false,
        }
    }

    /// Whether the fault is among those under which the guide's platform runs too: outages of the whole run, and changes whose answer is lost.
    pub fn is_main(self, extent: Extent) -> bool {
        match self {
            Self::Refuse | Self::Hang | Self::ServerError => extent == Extent::WholeRun,
            Self::AnswerLost | Self::Aborted => extent == Extent::FirstChange,
            Self::TooMany
            | Self::WrongDialect
            | Self::WrongAddress
            | Self::Impostor
            | Self::UndecidedClosed
            | Self::UndecidedOpen => false,
        }
    }

    /// Why `service` cannot have this fault.
    pub fn not_applicable(self, service: Service) -> Option<&'static str> {
        match (self, service) {
            (Self::Impostor, Service::Opa) => {
                Some("it is called over plain HTTP inside the cluster, so there is no identity to verify")
            }
            (Self::Aborted, Service::Opa) => Some("a question changes nothing, so it is the same as *500*"),
            (
                Self::UndecidedClosed | Self::UndecidedOpen,
                Service::Tickets | Service::Orchestrator | Service::Kubernetes,
            ) => Some("only the policy server can be replaced by a decision of `heal` itself"),
            _ => None,
        }
    }

    /// How `service` shows this fault, for the page.
    pub fn shown_by(self, service: Service) -> &'static str {
        match (self, service) {
            (Self::Refuse, _) => {
                "its port is closed; on the first change the connection is reset before the call is performed"
            }
            (Self::Hang, _) => "it takes the call, does not perform it and never answers",
            (Self::ServerError, Service::Orchestrator) => "`INTERNAL`, not performed",
            (Self::ServerError, _) => "500 with a text, not performed",
            (Self::TooMany, Service::Orchestrator) => "`RESOURCE_EXHAUSTED`, not performed",
            (Self::TooMany, _) => "429 with `Retry-After: 1`, not performed",
            (Self::AnswerLost, _) => "it performs the call, then the connection is reset",
            (Self::Aborted, Service::Orchestrator) => "it performs the call, then answers `UNAVAILABLE`",
            (Self::Aborted, _) => "it performs the call, then answers 500",
            (Self::WrongDialect, Service::Tickets) => {
                "`EXECUTION_TICKET_SERVICE_API=guide`, but the service is the deployed one"
            }
            (Self::WrongDialect, Service::Orchestrator) => {
                "an HTTP server behind the right identity answers with an HTML page"
            }
            (Self::WrongDialect, Service::Kubernetes) => "a proxy answers every call with 200 and an HTML page",
            (Self::WrongDialect, Service::Opa) => "it has not loaded the policy and answers `{}`",
            (Self::WrongAddress, Service::Tickets) => "`EXECUTION_TICKET_SERVICE_URL` lacks the prefix `/api/v1`",
            (Self::WrongAddress, Service::Orchestrator) => {
                "`ORCHESTRATOR_GRPC_PORT` is the port of a plain HTTP server"
            }
            (Self::WrongAddress, Service::Kubernetes) => {
                "`KUBERNETES_API_URL` is the URL of another service, which answers 404"
            }
            (Self::WrongAddress, Service::Opa) => "`OPA_PORT` is the port of another service, which answers 404",
            (Self::Impostor, Service::Tickets) => "`https://`, with a certificate of an unknown authority",
            (Self::Impostor, Service::Orchestrator) => "a certificate of the trust domain with another SPIFFE ID",
            (Self::Impostor, Service::Kubernetes) => {
                "a kubeconfig, and a certificate of another authority than it names"
            }
            (Self::UndecidedClosed, _) => "its port is closed, `OPA_FALLBACK=none` and `OPA_FAIL_OPEN=false`",
            (Self::UndecidedOpen, _) => "its port is closed, `OPA_FALLBACK=none` and `OPA_FAIL_OPEN=true`",
            (Self::Impostor, Service::Opa) => "not applicable",
        }
    }

    /// Names of variables of which the run has to name one, so that a person can correct it; empty where nothing is to be corrected.
    pub(crate) fn variables(self, service: Service) -> &'static [&'static str] {
        match (self, service) {
            (Self::WrongDialect, Service::Tickets) => &["EXECUTION_TICKET_SERVICE_API"],
            (Self::WrongAddress | Self::Impostor, Service::Tickets) => &["EXECUTION_TICKET_SERVICE_URL"],
            (Self::WrongDialect, Service::Orchestrator) => &["ORCHESTRATOR_GRPC_"],
            (Self::WrongAddress, Service::Orchestrator) => &["ORCHESTRATOR_GRPC_"],
            (Self::Impostor, Service::Orchestrator) => &["ORCHESTRATOR_SPIFFE_ID"],
            (Self::WrongDialect | Self::WrongAddress, Service::Kubernetes) => &["KUBERNETES_API_URL"],
            (Self::Impostor, Service::Kubernetes) => &["KUBECONFIG"],
            // The bundled policy decides in its place.
            (Self::WrongDialect | Self::WrongAddress | Self::Impostor, Service::Opa) => &[],
            (
                Self::Refuse
                | Self::Hang
                | Self::ServerError
                | Self::TooMany
                | Self::AnswerLost
                | Self::Aborted
                | Self::UndecidedClosed
                | Self::UndecidedOpen,
                _,
            ) => &[],
        }
    }

    /// The fault to inject into the stand-in; `None` if the fault is one of the configuration.
    pub(crate) fn kind(self, service: Service) -> Option<FaultKind> {
        let html = || FaultKind::WrongContentType {
            content_type: "text/html".to_owned(),
            body: Some("<!doctype html><title>Sign in</title>".to_owned()),
        };
        let grpc = |code: &str| FaultKind::GrpcStatus { code: code.to_owned(), message: "injected fault".to_owned() };
        match (self, service) {
            (Self::Refuse | Self::UndecidedClosed | Self::UndecidedOpen, _) => Some(FaultKind::Refuse),
            (Self::Hang, _) => Some(FaultKind::Hang),
            (Self::ServerError, Service::Orchestrator) => Some(grpc("INTERNAL")),
            (Self::ServerError, _) => Some(FaultKind::Status { code: 500, retry_after_seconds: None }),
            (Self::TooMany, Service::Orchestrator) => Some(grpc("RESOURCE_EXHAUSTED")),
            (Self::TooMany, _) => Some(FaultKind::Status { code: 429, retry_after_seconds: Some(RETRY_AFTER_SECONDS) }),
            (Self::AnswerLost, _) => Some(FaultKind::DropAnswer),
            (Self::Aborted, Service::Tickets | Service::Kubernetes | Service::Opa) => {
                Some(FaultKind::StatusAfterEffect { code: 500 })
            }
            (Self::Aborted, Service::Orchestrator) => {
                let message = "injected fault".to_owned();
                Some(FaultKind::AbortAfterEffect { code: "UNAVAILABLE".to_owned(), message })
            }
            (Self::WrongDialect, Service::Orchestrator | Service::Kubernetes) => Some(html()),
            (Self::WrongDialect, Service::Tickets | Service::Opa) | (Self::WrongAddress | Self::Impostor, _) => None,
        }
    }
}

impl Extent {
    /// The words on the page.
    pub fn name(self) -> &'static str {
        match self {
            Self::WholeRun => "whole run",
            Self::FirstChange => "first change",
        }
    }
}
