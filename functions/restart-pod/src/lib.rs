//! `restart_pod`: deletes a pod and waits until its controller has a ready one again.
//!
//! The pod is deleted by its uid, so that a later pod of the same name is never deleted. A pod without a controller, which nothing would
//! replace, is left alone. The crate knows no claim and no queue; `heal_runtime::attempt` holds those. Start at [`RestartPod`].

mod after;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::kubernetes::{self, PodRef, Restart};
use heal_clients::port::{Manual, call_failed, context};
use heal_clients::{CallContext, Effect};
use heal_runtime::action::{Action, Admitted, Call, Facts, Performed, Probe, Target};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};
use serde::Deserialize;

use after::PodAfter;

pub use after::CLOCK_ERROR_MS;
pub use spec::{NAME, spec};

/// The action over the Kubernetes API.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct RestartPod {
    kubernetes: Arc<kubernetes::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
}

/// What a playbook gives.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    pub(crate) pod_name: String,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
}

impl RestartPod {
    /// `clock` is the one that the attempts' deadlines are set by, and not far from the cluster's ([`CLOCK_ERROR_MS`]).
    pub fn new(kubernetes: Arc<kubernetes::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, spec: spec() }
    }

    async fn restart(&self, call: &Call, parameters: &Parameters, context: &CallContext) -> AttemptResult {
        let Parameters { pod_name, namespace } = parameters;
        match self.kubernetes.restart_pod(pod_name, namespace.as_deref(), context).await {
            Ok(Restart::Replaced { old, new }) => after::replaced(call, &old.name, &new.name),
            Ok(Restart::NotBack { old: PodRef { name, .. }, last_seen }) => {
                after::not_back(call, &name, last_seen.as_ref())
            }
            Err(error) if error.effect() == Effect::Unknown => match self.pod_after(call, parameters, context).await {
                Ok(after) if after.is_deleted() => {
                    let lost = format!("the answer to the deletion of pod {pod_name:?} was lost, and the pod is gone");
                    self.await_replacement(call, parameters, context, after).await.warn(lost)
                }
                Ok(_) | Err(_) => call_failed(call, pod_name, &error, &manual(parameters)),
            },
            Err(error) => call_failed(call, pod_name, &error, &manual(parameters)),
        }
    }
}

#[async_trait]
impl Action for RestartPod {
    type Parameters = Parameters;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        Ok(vec![Target::new(&parameters.pod_name, PolicyResource::default())])
    }

    async fn facts(&self, _: &Call, _: &Parameters, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, _: &[Admitted<()>]) -> Performed {
        self.restart(call, parameters, &context(call, &*self.clock)).await.into()
    }

    /// An earlier worker deleted the command's pod if no pod has its name, or only one that was created after the command.
    async fn probe(&self, call: &Call, parameters: &Parameters, _: &[Target]) -> Probe {
        let context = context(call, &*self.clock);
        match self.pod_after(call, parameters, &context).await {
            Ok(PodAfter::StillThere) => Probe::NotDone,
            Ok(after) => Probe::Done(Box::new(self.await_replacement(call, parameters, &context, after).await)),
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }
}

fn manual(parameters: &Parameters) -> Manual {
    let name = &parameters.pod_name;
    let namespace =
        parameters.namespace.as_ref().map_or_else(String::new, |namespace| format!(" in namespace {namespace:?}"));
    let act = format!(
        "restart pod {name:?}{namespace} by hand (kubectl delete pod), or run the playbook again when Kubernetes answers"
    );
    let check = format!("check whether pod {name:?}{namespace} was replaced and is ready; only if it was not, {act}");
    Manual { act, check }
}
