//! A worker around the action, with a policy that decides by the ticket's name.

use super::*;

pub(super) const COOLDOWN_MS: u64 = 300_000;

/// Decides by the ticket's name, and records its inputs.
#[derive(Default)]
pub(super) struct Judge(pub(super) Mutex<Vec<PolicyInput>>);

#[async_trait]
impl Policy for Judge {
    fn validates(&self, _: &str) -> bool {
        false
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        self.0.lock().unwrap().push(input.clone());
        let violation =
            Violation { policy: "p".into(), rule: "forbidden".into(), msg: "no".into(), severity: "high".into() };
        match input.resource.ticket_id.as_str() {
            "forbidden" => {
                Decision::Deny { source: DecisionSource::Server, violations: vec![violation], warning: None }
            }
            "asks" => Decision::RequireApproval {
                source: DecisionSource::Server,
                violations: vec![violation],
                approvers: vec!["oncall".to_owned()],
                warning: None,
            },
            "undecided" => Decision::Unavailable { message: "no server".to_owned() },
            _ => Decision::Allow { source: DecisionSource::Server, warning: None },
        }
    }
}

pub(super) struct Rig {
    pub(super) worker: Worker,
    pub(super) clock: Arc<ManualClock>,
    pub(super) queues: Arc<Queues>,
    pub(super) claims: Arc<Claims>,
    pub(super) switches: Arc<Switches>,
    pub(super) faults: Faults,
    pub(super) judge: Arc<Judge>,
    pub(super) seen: Arc<observed::Seen>,
    pub(super) takes_ms: Arc<AtomicU64>,
    pub(super) touched: Arc<AtomicU32>,
    pub(super) read: Arc<AtomicU32>,
    pub(super) script: Arc<Script>,
    pub(super) deliveries: AtomicU32,
}

impl Rig {
    pub(super) fn new(safety: Safety) -> Self {
        Self::bounded(safety, Guardrails::default())
    }

    pub(super) fn bounded(safety: Safety, guardrails: Guardrails) -> Self {
        Self::judged(safety, guardrails, true)
    }

    /// The policy is asked about what is critical, and about nothing else.
    pub(super) fn judged(safety: Safety, guardrails: Guardrails, critical: bool) -> Self {
        let clock = Arc::new(ManualClock::default());
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let faults = Faults::default();
        let (judge, takes_ms) = (Arc::new(Judge::default()), Arc::default());
        let (touched, read, script) = (Arc::default(), Arc::default(), Arc::<Script>::default());
        let spec = ActionSpec {
            name: "touch",
            description: "Touches tickets.",
            parameters: json!({
                "type": "object", "additionalProperties": false, "required": ["tickets"],
                "properties": {"tickets": {"type": "array", "items": {"type": "string"}}},
            }),
            outputs: &[],
            safety,
            inherits: &[],
            default_timeout_seconds: 60,
            service: "lamps",
            critical,
        };
        let action = Touch {
            spec,
            clock: clock.clone(),
            takes_ms: Arc::clone(&takes_ms),
            touched: Arc::clone(&touched),
            read: Arc::clone(&read),
            script: Arc::clone(&script),
        };
        let claims = Arc::new(Claims::new(faults.clone()));
        let (switches, seen) = (Arc::new(Switches::new(faults.clone())), Arc::<observed::Seen>::default());
        let ports = Ports {
            claims: claims.clone(),
            policy: judge.clone(),
            halts: Arc::new(HaltCache::new(switches.clone())),
            sender: queues.clone(),
            clock: clock.clone(),
            guardrails: Arc::new(guardrails),
        };
        let worker = Worker::new(action, Arc::new(ports)).unwrap().observed_by(seen.clone());
        Self {
            worker,
            clock,
            queues,
            claims,
            switches,
            faults,
            judge,
            seen,
            takes_ms,
            touched,
            read,
            script,
            deliveries: AtomicU32::new(0),
        }
    }

    pub(super) fn command(&self, run: &str, parameters: Value) -> ActionCommand {
        let now = self.clock.now();
        ActionCommand {
            run_id: RunId::new(run),
            step: "step".to_owned(),
            item: None,
            attempt: 1,
            token: Token::new("token"),
            action: "touch".to_owned(),
            parameters_digest: Digest::of(parameters.to_string().as_bytes()),
            parameters: parameters.as_object().unwrap().clone(),
            issued_at: now,
            deadline: now.plus_ms(120_000),
            timeout_ms: None,
            incarnation: None,
            effect_key: None,
            shadow: false,
            context: Context { incident_id: "i".into(), playbook: "p".into(), workflow_id: None, traceparent: None },
            commands_sent: 1,
            approved: None,
        }
    }

    /// The same from a build that gives an attempt its time from when a worker takes it: a quarter of an hour to start, a minute to end.
    pub(super) fn queued(&self, run: &str, parameters: Value) -> ActionCommand {
        let deadline = self.clock.now().plus_ms(limit::START_WINDOW_MS);
        let effect_key = Some(format!("{run}/step#2"));
        ActionCommand { deadline, timeout_ms: Some(60_000), effect_key, ..self.command(run, parameters) }
    }

    /// The command of a shadow run.
    pub(super) fn shadow(&self, run: &str, parameters: Value) -> ActionCommand {
        let command = self.queued(run, parameters);
        ActionCommand { shadow: true, parameters_digest: digest_shadowed(&command.parameters), ..command }
    }

    /// The first call of an attempt takes the claim; the second reserves, and stores the intent; after a slow effect the third restarts the
    /// reservations.
    pub(super) fn fail_reservation(&self, number: u32, when: When) {
        let mut reservations = 0;
        self.faults.decide_by(move |operation| {
            reservations += u32::from(operation == "claims.reserve");
            (operation == "claims.reserve" && reservations == number).then_some(when)
        });
    }

    pub(super) async fn inbound(&self) -> Vec<Inbound> {
        let deliveries = self.queues.receive(&QueueName::Results, 100, 1_000).await.unwrap();
        deliveries.iter().map(|delivery| Inbound::parse(&delivery.body).unwrap()).collect()
    }

    pub(super) async fn deliver(&self, command: &ActionCommand) -> Result<CommandOutcome, Error> {
        let holder = LeaseOwner(format!("delivery-{}", self.deliveries.fetch_add(1, Ordering::SeqCst)));
        self.worker.handle(&serde_json::to_string(command).unwrap(), holder).await
    }

    pub(super) async fn perform(&self, command: &ActionCommand) -> AttemptResult {
        match self.deliver(command).await.unwrap() {
            CommandOutcome::Answered(result) => *result,
            other => panic!("not answered: {other:?}"),
        }
    }

    pub(super) fn touched(&self) -> u32 {
        self.touched.load(Ordering::SeqCst)
    }

    pub(super) async fn answers(&self) -> Vec<AttemptResult> {
        let deliveries = self.queues.receive(&QueueName::Results, 100, 1_000).await.unwrap();
        let answer = |body: &str| match Inbound::parse(body).unwrap() {
            Inbound::Result(result) => result.result,
            other => panic!("not a result: {other:?}"),
        };
        deliveries.iter().map(|delivery| answer(&delivery.body)).collect()
    }
}

pub(super) fn tickets(names: &[&str]) -> Value {
    json!({ "tickets": names })
}
