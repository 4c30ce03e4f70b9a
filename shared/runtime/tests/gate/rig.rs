//! A policy that denies by the ticket's name, and a dispatcher whose gate asks it.

use super::*;

/// Denies tickets whose id starts with `no`, and those that were touched before. Keeps what it was asked.
#[derive(Debug, Default)]
pub(super) struct Denying(pub(super) Mutex<Vec<PolicyInput>>);

#[async_trait]
impl Policy for Denying {
    fn validates(&self, _: &str) -> bool {
        false
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        self.0.lock().unwrap().push(input.clone());
        let is_denied = input.resource.ticket_id.starts_with("no") || input.context.last_reallocation_timestamp > 0;
        let rule = |name: &str| Violation {
            policy: "test".to_owned(),
            rule: name.to_owned(),
            msg: "not this one".to_owned(),
            severity: "high".to_owned(),
        };
        if is_denied {
            Decision::Deny { source: DecisionSource::Bundled, violations: vec![rule("no_ticket")], warning: None }
        } else {
            Decision::Allow { source: DecisionSource::Bundled, warning: None }
        }
    }
}

pub(super) struct Rig {
    pub(super) dispatcher: Dispatcher,
    pub(super) runs: Arc<Runs>,
    pub(super) queues: Arc<Queues>,
    pub(super) claims: Arc<Claims>,
    pub(super) policy: Arc<Denying>,
    pub(super) clock: Arc<ManualClock>,
}

pub(super) fn step(name: &str, kind: &str, rest: Value) -> Value {
    let mut step = json!({
        "name": name, "type": kind, "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
        "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {},
    });
    step.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    step
}

/// A restart, then a reallocation, which the policy validates. `change` is merged into the reallocation, `file` into the playbook.
pub(super) fn playbook(change: Value, file: Value) -> Value {
    let restart =
        step("restart", "restart_pod", json!({"parameters": {"pod_name": "p-1"}, "outputs": ["replaced_by"]}));
    let parameters = json!({"ticket_id": "{{ ticket_id }}", "reason": "test"});
    let mut reallocate = step(
        "reallocate",
        "reallocate_ticket",
        json!({"needs": ["restart"], "critical": true, "parameters": parameters}),
    );
    reallocate.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let mut playbook = json!({
        "name": "two_steps", "description": "", "timeout_seconds": 600, "triggers": [{"incident_type": "ONE"}],
        "actions": [restart, reallocate], "verify": [],
    });
    playbook.as_object_mut().unwrap().extend(file.as_object().unwrap().clone());
    playbook
}

impl Rig {
    pub(super) fn new(playbook: Value) -> Self {
        Self::under(playbook, Guardrails::default())
    }

    pub(super) fn under(playbook: Value, guardrails: Guardrails) -> Self {
        let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
        let clock = Arc::new(ManualClock::default());
        let runs = Arc::new(Runs::new(Faults::default()));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let claims = Arc::new(Claims::new(Faults::default()));
        let policy = Arc::new(Denying::default());
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: heal_testkit::memory::no_halts(),
            guardrails: Arc::default(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
        };
        let gatekeeper =
            Gatekeeper { policy: policy.clone(), claims: claims.clone(), guardrails: Arc::new(guardrails) };
        let dispatcher = Dispatcher::new(ports, Arc::new(library)).gated_by(gatekeeper);
        Self { dispatcher, runs, queues, claims, policy, clock }
    }

    /// The outcome of the run so far, the commands that it sent, and its warnings.
    pub(super) async fn start(&self, mut incident: Value) -> (Option<RunOutcome>, usize, Vec<String>) {
        let fields = incident.as_object_mut().unwrap();
        fields.insert("incident_id".to_owned(), "i-1".into());
        fields.insert("incident_type".to_owned(), "ONE".into());
        let accepted = self.dispatcher.accept(&incident.to_string(), "message", None).await.unwrap();
        let IntakeOutcome::Started { run_id, status } = accepted else { panic!("{accepted:?}") };
        let head = self.runs.head(&run_id).await.unwrap().unwrap();
        assert_eq!(status == RunStatus::Running, head.outcome.is_none(), "{status:?} {head:?}");
        let commits = self.runs.load(&run_id, 0).await.unwrap();
        let plan = self.dispatcher.library().get("two_steps").unwrap().plan.clone();
        let state = heal_engine::turn::fold(&plan, &commits).unwrap().unwrap();
        let sent = self.queues.pending();
        (head.outcome, sent, state.warnings.to_vec())
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.policy.0.lock().unwrap().iter().map(|input| input.resource.ticket_id.clone()).collect()
    }
}
