//! Workers of one service that fall sick, and processes that each see them.

use super::*;

pub(super) const WINDOW_SECONDS: u64 = 60;

pub(super) const QUIET_SECONDS: u64 = 120;

pub(super) const BUDGET: u32 = 10;

pub(super) const BUDGET_SECONDS: u64 = 600;

/// Records its effects.
pub(super) struct Restart {
    pub(super) spec: ActionSpec,
    pub(super) clock: Arc<ManualClock>,
    pub(super) effects: Arc<Mutex<Vec<(String, Timestamp)>>>,
}

#[async_trait]
impl Action for Restart {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Map) -> Result<Vec<Target>, AttemptResult> {
        let worker = parameters["worker_id"].as_str().unwrap();
        Ok(vec![Target::new(worker, PolicyResource::default())])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, _: &Call, _: &Map, targets: &[Admitted<()>]) -> Performed {
        self.effects.lock().unwrap().push((targets[0].target.id.clone(), self.clock.now()));
        AttemptResult::succeeded(Map::new()).into()
    }
}

pub(super) struct Rig {
    pub(super) clock: Arc<ManualClock>,
    pub(super) runs: Arc<Runs>,
    pub(super) queues: Arc<Queues>,
    pub(super) claims: Arc<Claims>,
    pub(super) switches: Arc<Switches>,
    pub(super) faults: Faults,
    pub(super) guardrails: Arc<Guardrails>,
    pub(super) effects: Arc<Mutex<Vec<(String, Timestamp)>>>,
}

pub(super) fn playbook() -> Playbook {
    let step = json!({
        "name": "restart", "type": "restart", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
        "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "unknown",
        "parameters": {"worker_id": "{{ worker_id }}"},
    });
    let playbook = json!({
        "name": "workers", "description": "", "timeout_seconds": 600, "triggers": [{"incident_type": "SICK"}], "verify": [],
        "actions": [step],
    });
    serde_json::from_value(playbook).unwrap()
}

pub(super) fn rule() -> StormRule {
    StormRule {
        targets: 5,
        window_seconds: WINDOW_SECONDS,
        quiet_seconds: QUIET_SECONDS,
        trickle: 1,
        ..StormRule::new("pods", vec!["restart".to_owned()])
    }
}

/// A process over the stores of the rig: dispatcher and worker, with one cache of the halts.
pub(super) fn process(rig: &Rig) -> Host {
    let halts = Arc::new(HaltCache::new(rig.switches.clone()));
    let spec = ActionSpec {
        name: "restart",
        description: "Restarts a worker.",
        parameters: json!({"type": "object"}),
        outputs: &[],
        safety: Safety::Unknown,
        inherits: &[],
        default_timeout_seconds: 60,
        service: "pods",
        critical: false,
    };
    let ports = attempt::Ports {
        claims: rig.claims.clone(),
        policy: Arc::new(AllowAll),
        halts: halts.clone(),
        sender: rig.queues.clone(),
        clock: rig.clock.clone(),
        guardrails: rig.guardrails.clone(),
    };
    let restart = Restart { spec, clock: rig.clock.clone(), effects: rig.effects.clone() };
    let worker = Worker::new(restart, Arc::new(ports)).unwrap();
    let ports = dispatcher::Ports {
        runs: rig.runs.clone(),
        halts,
        sender: rig.queues.clone(),
        clock: rig.clock.clone(),
        entropy: Arc::new(OsEntropy),
        guardrails: rig.guardrails.clone(),
    };
    let dispatcher = Dispatcher::new(ports, Arc::new(Library::new([playbook()]).unwrap()));
    Host::new(dispatcher, [worker], rig.queues.clone(), rig.runs.clone())
}

impl Rig {
    pub(super) fn new(rule: StormRule) -> Self {
        let budget = Budget {
            name: "restarts".to_owned(),
            applies_to: Selector::default(),
            key: String::new(),
            max: BUDGET,
            window_seconds: BUDGET_SECONDS,
            max_percent: None,
            concurrent: false,
        };
        let guardrails = Guardrails { budgets: vec![budget], storms: Storms(vec![rule]), ..Guardrails::default() };
        let (clock, faults) = (Arc::new(ManualClock::default()), Faults::default());
        Self {
            queues: Arc::new(Queues::new(clock.clone(), Faults::default())),
            runs: Arc::new(Runs::new(faults.clone())),
            claims: Arc::new(Claims::new(Faults::default())),
            switches: Arc::new(Switches::new(faults.clone())),
            guardrails: Arc::new(guardrails),
            effects: Arc::default(),
            clock,
            faults,
        }
    }

    pub(super) async fn incident(&self, worker: &str) {
        let body = json!({"incident_id": format!("sick-{worker}-{}", self.clock.now().0), "incident_type": "SICK", "worker_id": worker});
        let message = Message { queue: QueueName::Incidents, body: body.to_string(), delay_ms: 0, traceparent: None };
        self.queues.send(vec![message]).await.unwrap();
    }

    /// `host` works through everything that is due now, and sweeps.
    pub(super) async fn settle(&self, host: &Host) {
        host.dispatcher().sweep(&*self.runs, 100).await.unwrap();
        for _ in 0..4 {
            for queue in [QueueName::Incidents, QueueName::Action("restart".to_owned()), QueueName::Results] {
                while host.once(&queue, 100).await.unwrap() > 0 {}
            }
        }
    }

    /// `seconds` pass, with a sweep in each.
    pub(super) async fn pass(&self, host: &Host, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance_ms(1_000);
            self.settle(host).await;
        }
    }

    /// Workers `from` to `to` fall sick, one a second.
    pub(super) async fn fall_sick(&self, host: &Host, from: u32, to: u32) {
        for number in from..to {
            self.incident(&format!("w-{number}")).await;
            self.settle(host).await;
            self.pass(host, 1).await;
        }
    }

    pub(super) async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 10_000, None).await.unwrap().runs
    }

    pub(super) async fn group_incidents(&self) -> Vec<RunHead> {
        let is_group = |head: &RunHead| head.outcome == Some(RunOutcome::Escalated);
        self.heads().await.into_iter().filter(is_group).collect()
    }

    pub(super) async fn held(&self) -> usize {
        self.heads().await.iter().filter(|head| head.held_by.is_some()).count()
    }

    pub(super) async fn storms(&self) -> Vec<Halt> {
        let now = self.clock.now();
        self.switches.halts().await.unwrap().into_iter().filter(|halt| now < halt.until).collect()
    }

    pub(super) fn effects(&self) -> Vec<Timestamp> {
        self.effects.lock().unwrap().iter().map(|(_, at)| *at).collect()
    }

    pub(super) async fn acknowledge(&self, host: &Host) {
        let run_id = self.group_incidents().await[0].run_id.clone();
        let done = Input::FollowUpDone { id: ESCALATION.to_owned(), by: "local:ann".to_owned(), note: None };
        host.dispatcher().take(&run_id, "ack", &[done]).await.unwrap();
    }
}
