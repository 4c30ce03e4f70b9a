//! The whole platform: started on loopback ports, seeded, made faulty, read back, and ended.

mod config;
mod shared;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

pub use config::{Endpoints, PlatformConfig, StartError};

pub(crate) use shared::Shared;

use crate::connection;
use crate::control;
use crate::fault::{Fault, FaultError};
use crate::journal::Call;
use crate::kubernetes::Pod;
use crate::opa::{Decision, PolicyError};
use crate::orchestrator::{Replanning, Workflow};
use crate::seed::{Seed, SeedError};
use crate::service::Service;
use crate::tickets::Ticket;
use crate::tls::{TlsError, TlsMaterial};

/// The running platform. Dropping it ends it.
#[derive(Debug)]
pub struct Platform {
    shared: Arc<Shared>,
    accepting: Vec<JoinHandle<()>>,
}

impl Platform {
    /// Listens on every port of `config` and serves from the seed on.
    ///
    /// # Errors
    /// A port that is taken, a seed, a policy or TLS material that is wrong; nothing is left running then.
    ///
    /// # Caveats
    /// The platform lives on the tokio runtime (with I/O and time) that this is called on.
    pub fn start(config: PlatformConfig) -> Result<Self, StartError> {
        let runtime = Handle::try_current()?;
        let shared = Arc::new(Shared::new(config)?);
        let mut accepting = Vec::new();
        for service in Service::ALL {
            let gateway = shared.gateway(service);
            let shared_by_connections = Arc::clone(&shared);
            let port = Arc::clone(shared.port(service));
            accepting.push(runtime.spawn(port.accept(move |stream| {
                let gateway = Arc::clone(&gateway);
                let tls = shared_by_connections.tls(service);
                async move {
                    if gateway.refuses_connection() {
                        return connection::refuse(&stream);
                    }
                    connection::serve(stream, tls, gateway).await;
                }
            })));
        }
        if let Some(port) = shared.control_port() {
            let router = control::router(Arc::clone(&shared));
            accepting.push(
                runtime.spawn(Arc::clone(port).accept(move |stream| connection::serve_router(stream, router.clone()))),
            );
        }
        Ok(Self { shared, accepting })
    }

    /// Where the services listen.
    pub fn endpoints(&self) -> Endpoints {
        self.shared.endpoints()
    }

    /// The engine's variables that lead it here, by name.
    pub fn env(&self) -> Vec<(String, String)> {
        self.endpoints().env()
    }

    /// Replaces tickets, workflows and pods, and forgets which keys were answered. The journal stays.
    pub fn seed(&self, seed: Seed) -> Result<(), SeedError> {
        self.shared.seed(seed)
    }

    /// In the order of their ids.
    pub fn tickets(&self) -> Vec<Ticket> {
        self.shared.tickets.tickets()
    }

    /// In the order of their ids.
    pub fn workflows(&self) -> Vec<Workflow> {
        self.shared.workflows.workflows()
    }

    /// In the order in which they were asked for.
    pub fn replannings(&self) -> Vec<Replanning> {
        self.shared.workflows.replannings()
    }

    /// In the order of namespace and name.
    pub fn pods(&self) -> Vec<Pod> {
        self.shared.pods.pods()
    }

    /// The ticket of this id.
    pub fn ticket(&self, ticket_id: &str) -> Option<Ticket> {
        self.tickets().into_iter().find(|ticket| ticket.ticket_id == ticket_id)
    }

    /// The workflow of this id.
    pub fn workflow(&self, workflow_id: &str) -> Option<Workflow> {
        self.workflows().into_iter().find(|workflow| workflow.workflow_id == workflow_id)
    }

    /// Every call of every service, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.journal.calls()
    }

    /// The calls that changed state, in order.
    pub fn effects(&self) -> Vec<Call> {
        self.calls().into_iter().filter(|call| call.effect).collect()
    }

    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.shared.journal.clear();
    }

    /// Makes a service faulty from the return of this call on; replaces the fault of the same service and operation.
    pub fn set_fault(&self, fault: Fault) -> Result<(), FaultError> {
        self.shared.set_faults(vec![fault])
    }

    /// Every service is sound again from the return of this call on. Calls that hang stay hung.
    pub fn clear_faults(&self) {
        self.shared.clear_faults();
    }

    /// Sets what the policy server answers; `policy` (Rego) replaces the loaded text, `None` keeps it.
    pub fn set_policy(&self, decision: Decision, policy: Option<&str>) -> Result<(), PolicyError> {
        self.shared.opa.decide(decision, policy)
    }

    /// Gives the orchestrator another TLS identity for new connections; those that are open keep theirs.
    pub fn set_orchestrator_tls(&self, material: &TlsMaterial) -> Result<(), TlsError> {
        self.shared.set_tls(material)
    }

    /// Ends the platform; its ports are free on return.
    pub async fn shutdown(mut self) {
        self.end();
        for accepting in std::mem::take(&mut self.accepting) {
            // Aborted on purpose.
            let _ = accepting.await;
        }
    }

    fn end(&self) {
        self.shared.close();
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
