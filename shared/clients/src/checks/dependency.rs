//! The services that the engine depends on, as it is configured to reach them.

use heal_runtime::checks::{Observation, Service};
use serde_json::Value;

use super::{Made, Prober, failing};
use crate::call::CallContext;
use crate::error::{Error, OutageKind};

impl Prober {
    pub(super) async fn dependency(&self, service: Service, context: &CallContext) -> Observation {
        match self.ask(service, context).await {
            Ok(()) => Observation::well(),
            // That says something of this process, and nothing of the service.
            Err(Error::Unavailable(outage)) if outage.kind == OutageKind::NoIdentity => {
                Observation::unknown(outage.to_string())
            }
            Err(error @ Error::Invalid { .. }) => Observation::unknown(error.to_string()),
            Err(error @ (Error::Unavailable(_) | Error::Refused(_))) => {
                let name = service.as_str();
                Observation::failing(failing(name, [("service", Value::from(name))], error.to_string()))
            }
        }
    }

    async fn ask(&self, service: Service, context: &CallContext) -> Result<(), Error> {
        match service {
            Service::TicketService => made(&self.tickets)?.health(context).await,
            Service::Orchestrator => made(&self.orchestrator)?.health(context).await,
            Service::Opa if !self.is_policy_enabled => Ok(()),
            Service::Opa => made(&self.policy)?.health(context).await,
        }
    }
}

fn made<C>(client: &Made<C>) -> Result<&C, Error> {
    client.as_ref().map_err(Clone::clone)
}
