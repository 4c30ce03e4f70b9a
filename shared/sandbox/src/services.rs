//! The running services of one platform: their state, faults, journal and ports.

use std::fmt;
use std::sync::{Arc, Mutex};

use crate::config::{Endpoints, PlatformConfig, StartError};
use crate::fault::{Fault, FaultBoard, FaultError};
use crate::gateway::{Backend, Gateway};
use crate::journal::Journal;
use crate::kubernetes::{self, Kubernetes};
use crate::opa::Opa;
use crate::orchestrator::{self, Orchestrator};
use crate::port::Port;
use crate::seed::{Seed, SeedError};
use crate::service::Service;
use crate::state::lock;
use crate::tickets::{self, Tickets};
use crate::tls::{ServerTls, TlsError, TlsMaterial};

/// Shared by the connections, the control port and the owner of the platform.
pub(crate) struct Services {
    config: PlatformConfig,
    pub(crate) tickets: Arc<tickets::Store>,
    pub(crate) workflows: Arc<orchestrator::Store>,
    pub(crate) pods: Arc<kubernetes::Store>,
    pub(crate) opa: Arc<Opa>,
    pub(crate) faults: Arc<FaultBoard>,
    pub(crate) journal: Arc<Journal>,
    tls: Mutex<Option<Arc<ServerTls>>>,
    ports: Ports,
}

struct Ports {
    tickets: Arc<Port>,
    orchestrator: Arc<Port>,
    kubernetes: Arc<Port>,
    opa: Arc<Port>,
    control: Option<Arc<Port>>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("endpoints", &self.endpoints()).finish_non_exhaustive()
    }
}

impl Services {
    /// Checks `config`, binds its ports and loads its seed.
    pub(crate) fn new(mut config: PlatformConfig) -> Result<Self, StartError> {
        let prefix = &config.tickets.prefix;
        let plain = prefix.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
        if !(prefix.is_empty() || (prefix.starts_with('/') && plain)) {
            return Err(StartError::Prefix { prefix: prefix.clone() });
        }
        let seed = std::mem::take(&mut config.seed);
        seed.check()?;
        let opa = Arc::new(Opa::new(&config.opa)?);
        let tls = config.orchestrator.tls.as_ref().map(ServerTls::try_from).transpose()?;
        let services = Self {
            tickets: Arc::default(),
            workflows: Arc::default(),
            pods: Arc::new(kubernetes::Store::new(&config.kubernetes)),
            opa,
            faults: Arc::default(),
            journal: Arc::default(),
            tls: Mutex::new(tls.map(Arc::new)),
            ports: Ports::bind(&config)?,
            config,
        };
        services.put(seed);
        Ok(services)
    }

    pub(crate) fn gateway(&self, service: Service) -> Arc<Gateway> {
        let backend: Arc<dyn Backend> = match service {
            Service::Tickets => {
                Arc::new(Tickets { config: self.config.tickets.clone(), store: Arc::clone(&self.tickets) })
            }
            Service::Orchestrator => Arc::new(Orchestrator::new(
                self.config.orchestrator.clone(),
                Arc::clone(&self.workflows),
                Arc::clone(&self.tickets),
            )),
            Service::Kubernetes => Arc::new(Kubernetes { store: Arc::clone(&self.pods) }),
            Service::Opa => Arc::clone(&self.opa) as Arc<dyn Backend>,
        };
        Arc::new(Gateway { service, backend, faults: Arc::clone(&self.faults), journal: Arc::clone(&self.journal) })
    }

    pub(crate) fn port(&self, service: Service) -> &Arc<Port> {
        match service {
            Service::Tickets => &self.ports.tickets,
            Service::Orchestrator => &self.ports.orchestrator,
            Service::Kubernetes => &self.ports.kubernetes,
            Service::Opa => &self.ports.opa,
        }
    }

    pub(crate) fn control_port(&self) -> Option<&Arc<Port>> {
        self.ports.control.as_ref()
    }

    /// The TLS configuration for the next connection to `service`.
    pub(crate) fn tls(&self, service: Service) -> Option<Arc<ServerTls>> {
        match service {
            Service::Orchestrator => lock(&self.tls).clone(),
            Service::Tickets | Service::Kubernetes | Service::Opa => None,
        }
    }

    pub(crate) fn set_tls(&self, material: &TlsMaterial) -> Result<(), TlsError> {
        let tls = ServerTls::try_from(material)?;
        *lock(&self.tls) = Some(Arc::new(tls));
        Ok(())
    }

    pub(crate) fn endpoints(&self) -> Endpoints {
        let url = |port: &Arc<Port>| format!("http://{}", port.address());
        let prefix = self.config.tickets.prefix.trim_end_matches('/');
        Endpoints {
            tickets_url: format!("{}{prefix}", url(&self.ports.tickets)),
            tickets_dialect: self.config.tickets.dialect,
            orchestrator: self.ports.orchestrator.address(),
            orchestrator_tls: lock(&self.tls).is_some(),
            kubernetes_url: url(&self.ports.kubernetes),
            opa: self.ports.opa.address(),
            control_url: self.ports.control.as_ref().map(url),
        }
    }

    pub(crate) fn seed(&self, seed: Seed) -> Result<(), SeedError> {
        seed.check()?;
        self.put(seed);
        Ok(())
    }

    fn put(&self, seed: Seed) {
        self.tickets.seed(seed.tickets);
        self.workflows.seed(seed.workflows);
        self.pods.seed(seed.pods);
    }

    /// Sets all `faults`, or none of them if one is invalid.
    pub(crate) fn set_faults(&self, faults: Vec<Fault>) -> Result<(), FaultError> {
        for fault in &faults {
            fault.check()?;
        }
        for fault in faults {
            self.faults.set(fault)?;
        }
        self.open_ports();
        Ok(())
    }

    pub(crate) fn clear_faults(&self) {
        self.faults.clear();
        self.open_ports();
    }

    fn open_ports(&self) {
        for service in Service::ALL {
            self.port(service).set_open(!self.faults.closes(service));
        }
    }

    /// Stops accepting connections on every port.
    pub(crate) fn close(&self) {
        for service in Service::ALL {
            self.port(service).set_open(false);
        }
        if let Some(control) = &self.ports.control {
            control.set_open(false);
        }
    }
}

impl Ports {
    fn bind(config: &PlatformConfig) -> Result<Self, StartError> {
        let bind = |service, port| Port::bind(port).map_err(|source| StartError::Bind { service, port, source });
        Ok(Self {
            tickets: bind(Service::Tickets.name(), config.tickets.port)?,
            orchestrator: bind(Service::Orchestrator.name(), config.orchestrator.port)?,
            kubernetes: bind(Service::Kubernetes.name(), config.kubernetes.port)?,
            opa: bind(Service::Opa.name(), config.opa.port)?,
            control: config.control_port.map(|port| bind("control", port)).transpose()?,
        })
    }
}
