//! Playbooks whose live runs are bounded, and a dispatcher in virtual time.

use super::*;

/// Seconds that each run takes; its timeout is little more.
pub(super) const RUN_SECONDS: u64 = 10;

pub(super) struct Rig {
    live: LiveBounds,
    pub(super) dispatcher: Dispatcher,
    pub(super) runs: Arc<Runs>,
    pub(super) faults: Faults,
    pub(super) clock: Arc<ManualClock>,
    pub(super) queues: Arc<Queues>,
}

/// `RESTART` and `REPLAN` change something at one service, after they have waited; `ACT` changes something at once.
pub(super) fn library() -> Library {
    let step = |name: &str, kind: &str, needs: &[&str], parameters: Value| {
        json!({
            "name": name, "type": kind, "needs": needs, "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent",
            "service": "world", "parameters": parameters, "condition": "{{ incident.acts | default(true) }}",
        })
    };
    let playbook = |name: &str, actions: Value, timeout_seconds: u64| {
        let playbook = json!({
            "name": name, "description": "", "timeout_seconds": timeout_seconds,
            "triggers": [{"incident_type": name.to_uppercase()}],
            "concurrency_key": "{{ incident.key | default(incident.incident_id) }}", "actions": actions, "verify": [],
        });
        serde_json::from_value(playbook).unwrap()
    };
    let wait = step("pause", "wait", &[], json!({"seconds": RUN_SECONDS}));
    let mut never = step("act", "act", &["pause"], json!({"ticket_id": "{{ incident.ticket_id | default('') }}"}));
    never["condition"] = json!(false);
    let at_once = step("act", "act", &[], json!({"ticket_id": "{{ incident.ticket_id | default('') }}"}));
    let slow = json!([wait, never]);
    Library::new([
        playbook("restart", slow.clone(), RUN_SECONDS + 5),
        playbook("replan", slow, RUN_SECONDS + 5),
        playbook("act", json!([at_once]), 60),
    ])
    .unwrap()
}

fn dispatcher(live: LiveBounds, (runs, queues, clock): (&Arc<Runs>, &Arc<Queues>, &Arc<ManualClock>)) -> Dispatcher {
    let ports = dispatcher::Ports {
        runs: runs.clone(),
        halts: Arc::new(HaltCache::new(Arc::new(Switches::new(Faults::default())))),
        sender: queues.clone(),
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::new(Guardrails { admission: Admission { live }, ..Guardrails::default() }),
    };
    Dispatcher::new(ports, Arc::new(library()))
}

impl Rig {
    /// Room for two runs of a playbook and for three in all.
    pub(super) fn new() -> Self {
        Self::with(LiveBounds { per_playbook: 2, per_service: 3, ..LiveBounds::default() })
    }

    pub(super) fn with(live: LiveBounds) -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        let runs = Arc::new(Runs::new(faults.clone()));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let dispatcher = dispatcher(live.clone(), (&runs, &queues, &clock));
        Self { live, dispatcher, runs, faults, clock, queues }
    }

    /// A dispatcher of another process, which knows no run yet.
    pub(super) fn another(&self) -> Dispatcher {
        dispatcher(self.live.clone(), (&self.runs, &self.queues, &self.clock))
    }

    pub(super) async fn send(&self, incident: Value) -> IntakeOutcome {
        self.clock.advance_ms(1);
        let id = incident["incident_id"].as_str().unwrap().to_owned();
        self.dispatcher.accept(&incident.to_string(), &format!("message of {id}"), None).await.unwrap()
    }

    /// Starts a run of `kind` about `id`, and returns its id.
    pub(super) async fn start(&self, kind: &str, id: &str, severity: &str) -> RunId {
        match self.send(json!({"incident_id": id, "incident_type": kind, "severity": severity})).await {
            IntakeOutcome::Started { run_id, .. } => run_id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn take(&self, run_id: &RunId, input: Input) -> RunStatus {
        self.clock.advance_ms(1);
        let cause = format!("test:{}", self.clock.now().0);
        self.dispatcher.take(run_id, &cause, &[input]).await.unwrap().status
    }

    pub(super) async fn cancel(&self, run_id: &RunId) -> RunStatus {
        self.take(run_id, Input::CancelRequested { by: "ann".to_owned() }).await
    }

    pub(super) async fn sweep(&self) {
        self.dispatcher.sweep(&*self.runs, 1_000).await.unwrap();
    }

    pub(super) async fn head(&self, run_id: &RunId) -> RunHead {
        self.runs.head(run_id).await.unwrap().unwrap()
    }

    pub(super) async fn status(&self, run_id: &RunId) -> RunStatus {
        self.head(run_id).await.status
    }

    pub(super) async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 10_000, None).await.unwrap().runs
    }

    pub(super) async fn halt(&self, scope: HaltScope) -> String {
        let since = self.clock.now();
        let (id, by, reason) = ("halt-1".to_owned(), "local:ann".to_owned(), "a deployment".to_owned());
        let halt = Halt { id: id.clone(), scope, since, until: since.plus_ms(600_000), reason, by, storm: None };
        self.dispatcher.halt(&halt).await.unwrap();
        id
    }

    pub(super) async fn commands(&self) -> usize {
        self.queues.receive(&QueueName::Action("act".to_owned()), 100, 0).await.unwrap().len()
    }
}
