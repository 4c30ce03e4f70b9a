//! A lamp that is dimmed, and the dispatcher and workers around it.

use super::*;

/// Records its effects; reading the facts takes the time that the test sets.
pub(super) struct Lamp {
    pub(super) spec: ActionSpec,
    pub(super) clock: Arc<ManualClock>,
    pub(super) effects: Arc<Mutex<Vec<(String, Timestamp)>>>,
    pub(super) reading_takes_ms: Arc<AtomicU64>,
    pub(super) switches: Arc<Switches>,
    pub(super) halts_while_reading: Arc<Mutex<Option<Halt>>>,
}

#[async_trait]
impl Action for Lamp {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, _: &Map) -> Result<Vec<Target>, AttemptResult> {
        let key = CooldownKey { action: self.spec.name.to_owned(), target: "lamp-1".to_owned() };
        let cooldown =
            (self.spec.name == "act").then_some(Cooldown { key, duration_ms: 3_600_000, is_policy_fact: false });
        Ok(vec![Target { id: "lamp-1".to_owned(), resource: PolicyResource::default(), cooldown }])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        let halt = self.halts_while_reading.lock().unwrap().take();
        if let Some(halt) = halt {
            self.switches.halt(&halt).await.unwrap();
        }
        self.clock.advance_ms(self.reading_takes_ms.load(Ordering::SeqCst));
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        self.effects.lock().unwrap().push((call.command.step.clone(), self.clock.now()));
        AttemptResult::succeeded(Map::new()).into()
    }
}

pub(super) struct Rig {
    pub(super) host: Host,
    pub(super) clock: Arc<ManualClock>,
    pub(super) runs: Arc<Runs>,
    pub(super) queues: Arc<Queues>,
    pub(super) switches: Arc<Switches>,
    pub(super) faults: Faults,
    pub(super) effects: Arc<Mutex<Vec<(String, Timestamp)>>>,
    pub(super) reading_takes_ms: Arc<AtomicU64>,
    pub(super) halts_while_reading: Arc<Mutex<Option<Halt>>>,
}

/// `look` only reads, `act` acts.
pub(super) fn playbook() -> Playbook {
    let step = |name: &str, kind: &str, safety: &str| {
        json!({
            "name": name, "type": kind, "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": safety, "parameters": {},
        })
    };
    let playbook = json!({
        "name": "lamps", "description": "", "timeout_seconds": 600, "triggers": [{"incident_type": "DARK"}], "verify": [],
        "actions": [step("look", "look", "read_only"), step("act", "act", "unknown")],
    });
    serde_json::from_value(playbook).unwrap()
}

/// `dim` has a concurrency key, and nothing to do.
pub(super) fn dim() -> Playbook {
    let mut playbook = playbook();
    (playbook.name, playbook.triggers[0].incident_type) = ("dim".to_owned(), "DIM".to_owned());
    playbook.concurrency_key = Some("lamp:1".to_owned());
    playbook.actions.truncate(1);
    playbook.actions[0].condition =
        Some(serde_json::from_value(json!("{{ incident.dark | default(false) }}")).unwrap());
    playbook
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::under(Guardrails::default())
    }

    pub(super) fn under(guardrails: Guardrails) -> Self {
        let guardrails = Arc::new(guardrails);
        let halts = |switches: &Arc<Switches>| Arc::new(HaltCache::new(switches.clone()).under(guardrails.clone()));
        let (clock, faults) = (Arc::new(ManualClock::default()), Faults::default());
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let runs = Arc::new(Runs::new(Faults::default()));
        let switches = Arc::new(Switches::new(faults.clone()));
        let (effects, reading_takes_ms) = (Arc::<Mutex<_>>::default(), Arc::<AtomicU64>::default());
        let halts_while_reading = Arc::<Mutex<Option<Halt>>>::default();
        let worker = |name: &'static str, safety| {
            let spec = ActionSpec {
                name,
                description: "Switches a lamp.",
                parameters: json!({"type": "object"}),
                outputs: &[],
                safety,
                inherits: &[],
                default_timeout_seconds: 60,
                service: "lamps",
                critical: false,
            };
            // As in another process.
            let ports = attempt::Ports {
                claims: Arc::new(Claims::new(Faults::default())),
                policy: Arc::new(AllowAll),
                halts: halts(&switches),
                sender: queues.clone(),
                clock: clock.clone(),
                guardrails: Arc::default(),
            };
            let lamp = Lamp {
                spec,
                clock: clock.clone(),
                effects: effects.clone(),
                reading_takes_ms: reading_takes_ms.clone(),
                switches: switches.clone(),
                halts_while_reading: halts_while_reading.clone(),
            };
            Worker::new(lamp, Arc::new(ports)).unwrap()
        };
        let workers = [worker("look", Safety::ReadOnly), worker("act", Safety::Unknown)];
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: halts(&switches),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let dispatcher = Dispatcher::new(ports, Arc::new(Library::new([playbook(), dim()]).unwrap()));
        let host = Host::new(dispatcher, workers, queues.clone(), runs.clone());
        Self { host, clock, runs, queues, switches, faults, effects, reading_takes_ms, halts_while_reading }
    }

    pub(super) fn halt(&self, scope: HaltScope, seconds: u64) -> Halt {
        let since = self.clock.now();
        let until = since.plus_ms(seconds * 1_000);
        let (id, reason, by) = ("halt-1".to_owned(), "a deployment".to_owned(), "local:anna".to_owned());
        Halt { id, scope, since, until, reason, by, storm: None }
    }

    pub(super) async fn send(&self, queue: QueueName, body: String) {
        self.queues.send(vec![Message { queue, body, delay_ms: 0, traceparent: None }]).await.unwrap();
    }

    pub(super) async fn incident(&self) {
        self.send(QueueName::Incidents, json!({"incident_id": "inc-1", "incident_type": "DARK"}).to_string()).await;
    }

    /// The dispatcher works through its queues.
    pub(super) async fn dispatch(&self) {
        for _ in 0..3 {
            for queue in [QueueName::Incidents, QueueName::Results] {
                self.host.once(&queue, 10).await.unwrap();
            }
        }
    }

    pub(super) async fn work(&self) {
        for action in ["look", "act"] {
            self.host.once(&QueueName::Action(action.to_owned()), 10).await.unwrap();
        }
    }

    pub(super) async fn sweep(&self) {
        self.host.dispatcher().sweep(&*self.runs, 10).await.unwrap();
    }

    /// Sweeps and works until nothing happens any more.
    pub(super) async fn settle(&self) {
        for _ in 0..4 {
            self.sweep().await;
            self.dispatch().await;
            self.work().await;
        }
    }

    pub(super) async fn head(&self) -> RunHead {
        self.runs.list(&RunFilter::default(), 10, None).await.unwrap().runs.remove(0)
    }

    pub(super) async fn events(&self) -> Vec<&'static str> {
        let commits = self.runs.load(&self.head().await.run_id, 0).await.unwrap();
        commits.iter().flat_map(|commit| &commit.events).map(Event::name).collect()
    }

    pub(super) fn effects(&self) -> Vec<String> {
        self.effects.lock().unwrap().iter().map(|(step, _)| step.clone()).collect()
    }
}
