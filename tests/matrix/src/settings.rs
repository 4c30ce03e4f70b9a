//! The time-outs of the matrix: short, because a row mostly waits, and all in one place, because the page names them.

use std::time::Duration;

use heal_sandbox::Service;

/// Runs at a time. A run waits far more than it computes.
pub(crate) const PARALLEL_RUNS: usize = 48;

/// Runs at a time that have not ended their first attempt: what a run computes, it computes then, and a call must not time out for that.
pub(crate) const PARALLEL_STARTS: usize = 4;

/// What `heal` itself may need beside the waits that are explained, in seconds: its start and end, and its turns, on a busy machine.
pub(crate) const OWN_SECONDS: u64 = 10;

/// `Retry-After` of a service that answers 429, in seconds.
pub(crate) const RETRY_AFTER_SECONDS: u64 = 1;

/// From the creation of a pod until it is ready.
pub(crate) const POD_READY_AFTER: Duration = Duration::from_millis(300);

/// The namespace of the worker's pods.
pub(crate) const NAMESPACE: &str = heal_sandbox::seed::NAMESPACE;

/// The longest of [`call_seconds`].
pub(crate) const LONGEST_CALL_SECONDS: u64 = 4;

/// Seconds for one call to `service`.
pub(crate) const fn call_seconds(service: Service) -> u64 {
    match service {
        Service::Tickets | Service::Orchestrator | Service::Kubernetes => LONGEST_CALL_SECONDS,
        Service::Opa => 2,
    }
}

/// The variable that sets [`call_seconds`].
pub(crate) const fn timeout_variable(service: Service) -> &'static str {
    match service {
        Service::Tickets => "EXECUTION_TICKET_SERVICE_TIMEOUT",
        Service::Orchestrator => "ORCHESTRATOR_GRPC_TIMEOUT_SECONDS",
        Service::Kubernetes => "KUBERNETES_TIMEOUT_SECONDS",
        Service::Opa => "OPA_TIMEOUT_SECONDS",
    }
}
