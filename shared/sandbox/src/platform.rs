//! The whole platform: start it on loopback ports, seed it, inject faults, read its state back, and stop it.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::config::{Endpoints, PlatformConfig, StartError};
use crate::connection;
use crate::control;
use crate::fault::{Fault, FaultError};
use crate::journal::Call;
use crate::kubernetes::Pod;
use crate::opa::{Decision, PolicyError};
use crate::orchestrator::{Replanning, Workflow};
use crate::seed::{Seed, SeedError};
use crate::service::Service;
use crate::services::Services;
use crate::tickets::Ticket;
use crate::tls::{TlsError, TlsMaterial};

/// The running platform. Dropping it stops it.
#[derive(Debug)]
pub struct Platform {
    services: Arc<Services>,
    accepting: Vec<JoinHandle<()>>,
}

impl Platform {
    /// Listens on every port of `config` and serves the state of its seed.
    ///
    /// # Errors
    /// A port is taken, or the seed, the policy or the TLS material is invalid. Nothing is left running.
    ///
    /// # Caveats
    /// Call it on a tokio runtime with I/O and time enabled; the platform runs there.
    pub fn start(config: PlatformConfig) -> Result<Self, StartError> {
        let runtime = Handle::try_current()?;
        let services = Arc::new(Services::new(config)?);
        let mut accepting = Vec::new();
        for service in Service::ALL {
            let gateway = services.gateway(service);
            let services_of_connections = Arc::clone(&services);
            let port = Arc::clone(services.port(service));
            accepting.push(runtime.spawn(port.accept(move |stream| {
                let gateway = Arc::clone(&gateway);
                let tls = services_of_connections.tls(service);
                async move {
                    if gateway.refuses_connection() {
                        return connection::refuse(&stream);
                    }
                    connection::serve(stream, tls, gateway).await;
                }
            })));
        }
        if let Some(port) = services.control_port() {
            let router = control::router(Arc::clone(&services));
            accepting.push(
                runtime.spawn(Arc::clone(port).accept(move |stream| connection::serve_router(stream, router.clone()))),
            );
        }
        Ok(Self { services, accepting })
    }

    /// The addresses of the services.
    pub fn endpoints(&self) -> Endpoints {
        self.services.endpoints()
    }

    /// The environment variables that point the engine at this platform.
    pub fn env(&self) -> Vec<(String, String)> {
        self.endpoints().env()
    }

    /// Replaces all tickets, workflows and pods, and drops the stored responses. The journal is kept.
    pub fn seed(&self, seed: Seed) -> Result<(), SeedError> {
        self.services.seed(seed)
    }

    /// All tickets, ordered by id.
    pub fn tickets(&self) -> Vec<Ticket> {
        self.services.tickets.tickets()
    }

    /// All workflows, ordered by id.
    pub fn workflows(&self) -> Vec<Workflow> {
        self.services.workflows.workflows()
    }

    /// All requested replannings, oldest first.
    pub fn replannings(&self) -> Vec<Replanning> {
        self.services.workflows.replannings()
    }

    /// All pods, ordered by namespace and name.
    pub fn pods(&self) -> Vec<Pod> {
        self.services.pods.pods()
    }

    /// The ticket with this id.
    pub fn ticket(&self, ticket_id: &str) -> Option<Ticket> {
        self.tickets().into_iter().find(|ticket| ticket.ticket_id == ticket_id)
    }

    /// The workflow with this id.
    pub fn workflow(&self, workflow_id: &str) -> Option<Workflow> {
        self.workflows().into_iter().find(|workflow| workflow.workflow_id == workflow_id)
    }

    /// Every call of every service, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.services.journal.calls()
    }

    /// The calls that changed state, oldest first.
    pub fn effects(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.effect).collect()
    }

    /// The calls that asked for a change, whatever became of them, oldest first.
    pub fn writes(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.service.is_write(&call.operation)).collect()
    }

    /// Clears the journal.
    pub fn forget_calls(&self) {
        self.services.journal.clear();
    }

    /// Injects a fault, in effect when this returns. It replaces the fault of the same service and operation.
    pub fn set_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.services.set_faults(vec![fault])
    }

    /// Removes every fault, in effect when this returns. Calls that already hang keep hanging.
    pub fn clear_faults(&self) {
        self.services.clear_faults();
    }

    /// Sets the decision of the policy server. `policy` (Rego) replaces the loaded policy; `None` keeps it.
    pub fn set_policy(&self, decision: Decision, policy: Option<&str>) -> Result<(), PolicyError> {
        self.services.opa.decide(decision, policy)
    }

    /// Changes the TLS identity of the orchestrator for new connections. Open connections keep the old one.
    pub fn set_orchestrator_tls(&self, material: &TlsMaterial) -> Result<(), TlsError> {
        self.services.set_tls(material)
    }

    /// Stops the platform; its ports are free when this returns.
    pub async fn shutdown(mut self) {
        self.end();
        for accepting in std::mem::take(&mut self.accepting) {
            // The task was aborted by `end`, so its error says nothing.
            let _ = accepting.await;
        }
    }

    fn end(&self) {
        self.services.close();
        for accepting in &self.accepting {
            accepting.abort();
        }
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.end();
    }
}
