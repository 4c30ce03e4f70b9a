//! `restart_pod`: deletes an unhealthy pod and waits until its controller has a ready one again.
//!
//! The pod is deleted by its uid, so that a later pod of the same name is never deleted. A healthy pod, a pod without a controller, which
//! nothing would replace, and a pod in a namespace that the configuration does not name, are left alone. The crate knows no claim and no
//! queue; `heal_runtime::attempt` holds those. Start at [`RestartPod`].

mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::kubernetes::{self, FoundPod, Restart, RestartIntent};
use heal_clients::port::{call_failed, context, failed, pod_marks};
use heal_clients::{CallContext, Effect};
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Probe, Target};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};
use serde::Deserialize;
use serde_json::Value;

pub use spec::{COOLDOWN_MS, NAME, spec};

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
    pub(crate) pod_uid: Option<String>,
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    #[serde(default)]
    pub(crate) force: bool,
}

/// The pod as it is just before its deletion.
#[derive(Debug)]
pub struct UnhealthyPod {
    intent: RestartIntent,
    /// Somebody else is deleting it already.
    is_terminating: bool,
    found: FoundPod,
}

impl UnhealthyPod {
    fn describe(&self) -> String {
        let RestartIntent { namespace, name, uid, .. } = &self.intent;
        let pod = format!("pod {name:?} of namespace {namespace:?} (uid {uid})");
        if self.is_terminating {
            format!("wait for the replacement of {pod}, which is being deleted already")
        } else {
            format!("delete {pod} and wait for its replacement")
        }
    }
}

impl RestartPod {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(kubernetes: Arc<kubernetes::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, spec: spec() }
    }

    async fn find(
        &self,
        call: &Call,
        parameters: &Parameters,
        context: &CallContext,
    ) -> Result<FoundPod, AttemptResult> {
        let Parameters { pod_name, pod_uid, namespace, force } = parameters;
        let found = self.kubernetes.find_pod(pod_name, namespace.as_deref(), context).await;
        let found = found.map_err(|error| call_failed(call, pod_name, &error, &result::manual(parameters)))?;
        let Some(found) = found else { return Err(result::already_gone(pod_name)) };
        match pod_uid {
            Some(uid) if !uid.is_empty() && *uid != found.health.uid => {
                Err(result::replaced_since_found(uid, &found.health))
            }
            Some(_) | None if found.health.healthy && !force => Err(result::healthy(pod_name)),
            Some(_) | None => Ok(found),
        }
    }

    async fn restart(&self, call: &Call, parameters: &Parameters, pod: &UnhealthyPod) -> Performed {
        let (name, context) = (&parameters.pod_name, context(call, &*self.clock));
        if pod.is_terminating {
            let replacement = self.kubernetes.await_replacement(&pod.intent, &context).await;
            return Performed::not_applied(name, result::deleted_by_another(call, name, &replacement));
        }
        match self.kubernetes.restart(&pod.intent, &context).await {
            Ok(Restart::Deleted { replacement, answer_lost: false }) => {
                result::deleted(call, name, &replacement).into()
            }
            Ok(Restart::Deleted { replacement, answer_lost: true }) => {
                let lost = format!("the answer to the deletion of pod {name:?} was lost, and the pod is gone");
                result::deleted(call, name, &replacement).warn(lost).into()
            }
            Ok(Restart::AlreadyGone) => Performed::not_applied(name, result::already_gone(name)),
            Ok(Restart::AlreadyReplaced) => Performed::not_applied(name, result::replaced_just_now(name)),
            Err(error) => {
                let result = call_failed(call, name, &error, &result::manual(parameters));
                match error.effect() {
                    Effect::NotApplied => Performed::not_applied(name, result),
                    Effect::Unknown => result.into(),
                }
            }
        }
    }
}

#[async_trait]
impl Action for RestartPod {
    type Parameters = Parameters;
    type Facts = UnhealthyPod;

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    /// Names that could not be a pod's, and namespaces that are not allowed, end the attempt before any call.
    fn targets(&self, call: &Call, parameters: &Parameters) -> Result<Vec<Target>, AttemptResult> {
        let Parameters { pod_name, namespace, .. } = parameters;
        let names = self.kubernetes.check_pod_name(pod_name, namespace.as_deref());
        names.map_err(|error| call_failed(call, pod_name, &error, &result::manual(parameters)))?;
        let allowed = self.kubernetes.check_deletable(namespace.as_deref());
        allowed.map_err(|error| failed(call, pod_name, "namespace_not_allowed", error.to_string()))?;
        // The pod that takes its place is another one, also under the same name: how often that helps is for `repeats` and budgets to bound.
        let incarnation = parameters.pod_uid.as_ref().filter(|uid| !uid.is_empty()).unwrap_or(pod_name);
        let cooldown = Cooldown::new(NAME, incarnation, COOLDOWN_MS);
        Ok(vec![Target::new(pod_name, PolicyResource::default()).cooling(cooldown)])
    }

    /// Reads the pod, and ends the attempt if nothing is to be done.
    async fn facts(
        &self,
        call: &Call,
        parameters: &Parameters,
        _: &Target,
    ) -> Result<Facts<UnhealthyPod>, AttemptResult> {
        let context = context(call, &*self.clock);
        let pod = self.find(call, parameters, &context).await?;
        let intent = self.kubernetes.plan_restart(&pod, &context).await;
        let intent =
            intent.map_err(|error| call_failed(call, &parameters.pod_name, &error, &result::manual(parameters)))?;
        let (marks, is_terminating) = (pod_marks(&pod), pod.health.terminating);
        Ok(Facts { marks, ..UnhealthyPod { intent, is_terminating, found: pod }.into() })
    }

    /// The pods of its controller.
    fn population(&self, facts: &UnhealthyPod) -> Option<String> {
        facts.found.controller_uid().map(ToOwned::to_owned)
    }

    async fn count_population(&self, call: &Call, facts: &UnhealthyPod) -> Option<u32> {
        self.kubernetes.count_siblings(&facts.found, &facts.intent, &context(call, &*self.clock)).await.ok()
    }

    async fn describe(
        &self,
        _: &Call,
        _: &Parameters,
        targets: &[Admitted<UnhealthyPod>],
    ) -> Result<String, AttemptResult> {
        let pods: Vec<_> = targets.iter().map(|admitted| admitted.facts.describe()).collect();
        Ok(pods.join(", "))
    }

    fn intent(&self, _: &Call, _: &Parameters, targets: &[Admitted<UnhealthyPod>]) -> Option<Value> {
        targets.first().map(|admitted| admitted.facts.intent.to_json())
    }

    async fn perform(&self, call: &Call, parameters: &Parameters, targets: &[Admitted<UnhealthyPod>]) -> Performed {
        match targets.first() {
            Some(admitted) => self.restart(call, parameters, &admitted.facts).await,
            None => result::already_gone(&parameters.pod_name).into(),
        }
    }

    /// An earlier worker deleted the pod if the one with the stored uid is gone or being deleted. Without a stored uid it died before.
    async fn probe(&self, call: &Call, parameters: &Parameters, _: &[Target], intent: Option<&Value>) -> Probe {
        let Some(stored) = intent else { return Probe::NotDone };
        let intent = match RestartIntent::from_json(stored) {
            Ok(intent) => intent,
            Err(why) => return Probe::Unclear(why),
        };
        let context = context(call, &*self.clock);
        match self.kubernetes.is_deleted(&intent, &context).await {
            Ok(false) => Probe::NotDone,
            Ok(true) => {
                let replacement = self.kubernetes.await_replacement(&intent, &context).await;
                Probe::Done(Box::new(result::deleted(call, &parameters.pod_name, &replacement)))
            }
            Err(error) => Probe::Unclear(error.to_string()),
        }
    }
}
