//! The injected faults, and which of them applies to a call.

use std::sync::Mutex;

use super::{Fault, FaultError, FaultKind};
use crate::service::Service;
use crate::state::lock;

/// The injected faults, each with the number of calls left.
#[derive(Debug, Default)]
pub(crate) struct FaultBoard {
    set: Mutex<Vec<Fault>>,
}

impl FaultBoard {
    /// Injects `fault`, which replaces the one of the same service and operation.
    pub(crate) fn set(&self, fault: Fault) -> Result<(), FaultError> {
        fault.check()?;
        let mut set = lock(&self.set);
        set.retain(|other| (other.service, &other.operation) != (fault.service, &fault.operation));
        set.push(fault);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        lock(&self.set).clear();
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        lock(&self.set).clone()
    }

    /// The fault that applies to this call; uses up one of its calls.
    pub(crate) fn take(&self, service: Service, operation: &str) -> Option<FaultKind> {
        self.take_where(|fault| fault.service == service && fault.operation.as_deref() == Some(operation))
            .or_else(|| self.take_where(|fault| fault.service == service && fault.operation.is_none()))
    }

    /// Whether to reset the next connection to `service` before reading a byte; uses up one call of the fault.
    pub(crate) fn take_refusal(&self, service: Service) -> bool {
        let refusal =
            |fault: &Fault| fault.service == service && fault.operation.is_none() && fault.fault == FaultKind::Refuse;
        self.take_where(refusal).is_some()
    }

    /// Whether `service` refuses connections until the fault is cleared.
    pub(crate) fn closes(&self, service: Service) -> bool {
        lock(&self.set).iter().any(|fault| {
            fault.service == service
                && fault.operation.is_none()
                && fault.calls.is_none()
                && fault.fault == FaultKind::Refuse
        })
    }

    fn take_where(&self, wanted: impl Fn(&Fault) -> bool) -> Option<FaultKind> {
        let mut set = lock(&self.set);
        let at = set.iter().position(wanted)?;
        let fault = set.get_mut(at)?;
        let kind = fault.fault.clone();
        if let Some(calls) = &mut fault.calls {
            *calls -= 1;
            if *calls == 0 {
                set.remove(at);
            }
        }
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_an_operation_goes_before_that_of_its_service() {
        let board = FaultBoard::default();
        board.set(Fault::new(Service::Opa, FaultKind::Hang)).unwrap();
        board.set(Fault::new(Service::Opa, FaultKind::DropAnswer).on("evaluate").times(2)).unwrap();
        assert_eq!(board.take(Service::Opa, "evaluate"), Some(FaultKind::DropAnswer));
        assert_eq!(board.take(Service::Opa, "health"), Some(FaultKind::Hang));
        assert_eq!(board.take(Service::Opa, "evaluate"), Some(FaultKind::DropAnswer));
        assert_eq!(board.take(Service::Opa, "evaluate"), Some(FaultKind::Hang));
        assert_eq!(board.take(Service::Tickets, "get_ticket"), None);
    }

    #[test]
    fn a_fault_replaces_that_of_the_same_place() {
        let board = FaultBoard::default();
        board.set(Fault::new(Service::Opa, FaultKind::Hang)).unwrap();
        board.set(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
        assert_eq!(board.list(), [Fault::new(Service::Opa, FaultKind::Refuse)]);
        assert!(board.closes(Service::Opa));
    }

    #[test]
    fn only_a_refusal_without_end_closes_the_port() {
        let board = FaultBoard::default();
        board.set(Fault::new(Service::Opa, FaultKind::Refuse).times(1)).unwrap();
        assert!(!board.closes(Service::Opa));
        assert!(board.take_refusal(Service::Opa));
        assert!(!board.take_refusal(Service::Opa));
    }

    #[test]
    fn a_wrong_fault_names_its_field() {
        let cases = [
            (Fault::new(Service::Opa, FaultKind::Hang).on("evalute"), "operation"),
            (Fault::new(Service::Opa, FaultKind::Hang).times(0), "calls"),
            (Fault::new(Service::Opa, FaultKind::Slow { by_ms: 3_600_001 }), "fault.slow.by_ms"),
            (Fault::new(Service::Opa, FaultKind::Drip { interval_ms: 3_600_001 }), "fault.drip.interval_ms"),
            (Fault::new(Service::Opa, FaultKind::HugeBody { bytes: (4 << 30) + 1 }), "fault.huge_body.bytes"),
            (Fault::new(Service::Opa, FaultKind::Status { code: 99, retry_after_seconds: None }), "fault.status.code"),
            (
                Fault::new(Service::Opa, FaultKind::GrpcStatus { code: "INTERNAL".into(), message: String::new() }),
                "fault.grpc_status",
            ),
            (
                Fault::new(
                    Service::Orchestrator,
                    FaultKind::GrpcStatus { code: "BROKEN".into(), message: String::new() },
                ),
                "fault.grpc_status.code",
            ),
            (
                Fault::new(Service::Opa, FaultKind::Redirect { location: "http://example.org/".into(), status: 307 }),
                "fault.redirect.location",
            ),
            (
                Fault::new(Service::Opa, FaultKind::Redirect { location: "http://127.0.0.1/".into(), status: 200 }),
                "fault.redirect.status",
            ),
            (
                Fault::new(Service::Opa, FaultKind::WrongContentType { content_type: "a\nb".into(), body: None }),
                "fault.wrong_content_type.content_type",
            ),
        ];
        for (fault, field) in cases {
            assert_eq!(fault.check().unwrap_err().field, field);
        }
    }
}
