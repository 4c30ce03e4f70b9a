//! One attempt over the fakes: what is checked before an effect, and what is stored after it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "attempt/bounds.rs"]
mod bounds;
#[path = "attempt/guarding.rs"]
mod guarding;
#[path = "attempt/halted.rs"]
mod halted;
#[path = "attempt/logs.rs"]
mod logs;
#[path = "attempt/named.rs"]
mod named;
#[path = "attempt/observed.rs"]
mod observed;
#[path = "attempt/own_trouble.rs"]
mod own_trouble;
#[path = "attempt/retried.rs"]
mod retried;
#[path = "attempt/times.rs"]
mod times;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use heal_engine::message::{Approved, digest_shadowed};
use heal_engine::{format, limit};
use heal_guard::{DecisionRecord, Guardrails, Marks, replay};
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, Probe, Target};
use heal_runtime::attempt::{CommandOutcome, Error, LEASE_MS, Ports, Worker};
use heal_runtime::halts::HaltCache;
use heal_runtime::message::Inbound;
use heal_runtime::port::{
    Clock, Decision, DecisionSource, LeaseOwner, Policy, PolicyInput, PolicyResource, QueueName, Receiver,
};
use heal_runtime::{
    ActionCommand, ActionSpec, AttemptOutcome, AttemptResult, Context, Digest, Map, RunId, Safety, Timestamp, Token,
    Violation,
};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Switches, When};
use serde_json::{Value, json};

const COOLDOWN_MS: u64 = 300_000;

/// Touches tickets, takes the time that the test sets, and counts the touches and the reads before them.
struct Touch {
    spec: ActionSpec,
    clock: Arc<ManualClock>,
    takes_ms: Arc<AtomicU64>,
    touched: Arc<AtomicU32>,
    read: Arc<AtomicU32>,
    script: Arc<Script>,
}

/// What the test makes the action do besides.
#[derive(Default)]
struct Script {
    reading_takes_ms: AtomicU64,
    /// The answer of the next probe.
    probe: Mutex<Option<Probe>>,
    /// What is written on every target.
    marks: Mutex<Marks>,
    population: Mutex<Option<u32>>,
    /// How often the population was counted.
    counted: AtomicU32,
    /// The results of the first calls; afterwards every call succeeds.
    results: Mutex<VecDeque<AttemptResult>>,
    /// How long a call takes, in which this process is awake.
    works_seconds: AtomicU64,
    /// How often this process has no descriptor left, and when.
    troubles: Mutex<(&'static str, u32)>,
    /// The calls that were made: their keys, their starts and their deadlines.
    calls: Mutex<Vec<(String, Timestamp, Timestamp)>>,
}

impl Script {
    fn meet_trouble(&self, when: &str) -> Result<(), AttemptResult> {
        let mut troubles = self.troubles.lock().unwrap();
        if troubles.0 != when || troubles.1 == 0 {
            return Ok(());
        }
        troubles.1 -= 1;
        heal_runtime::trouble::note("no descriptor");
        let (service, message) = ("lamps".to_owned(), "no descriptor".to_owned());
        Err(AttemptResult::new(AttemptOutcome::Unavailable { service, message, retry_after_ms: None }))
    }
}

impl Touch {
    async fn work(&self) {
        for _ in 0..self.script.works_seconds.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.clock.advance_ms(1_000);
        }
    }
}

#[derive(serde::Deserialize)]
struct Tickets {
    tickets: Vec<String>,
}

#[async_trait]
impl Action for Touch {
    type Parameters = Tickets;
    /// The number of the read.
    type Facts = u32;

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Tickets) -> Result<Vec<Target>, AttemptResult> {
        let target = |id: &String| {
            let id = id.clone();
            let resource = PolicyResource { ticket_id: id.clone(), ..PolicyResource::default() };
            let cooldown = Cooldown { is_policy_fact: true, ..Cooldown::new("touch", &id, COOLDOWN_MS) };
            Target::new(id, resource).cooling(cooldown)
        };
        Ok(parameters.tickets.iter().map(target).collect())
    }

    /// The service names every target in lower case.
    async fn facts(&self, call: &Call, _: &Tickets, target: &Target) -> Result<Facts<u32>, AttemptResult> {
        self.script.meet_trouble("reading")?;
        let name = target.id.to_lowercase();
        let answered =
            if name == target.id { None } else { self.targets(call, &Tickets { tickets: vec![name] })?.pop() };
        self.clock.advance_ms(self.script.reading_takes_ms.load(Ordering::SeqCst));
        let marks = self.script.marks.lock().unwrap().clone();
        Ok(Facts { marks, answered, ..self.read.fetch_add(1, Ordering::SeqCst).into() })
    }

    fn population(&self, _: &u32) -> Option<String> {
        Some("all".to_owned())
    }

    async fn count_population(&self, _: &Call, _: &u32) -> Option<u32> {
        self.script.counted.fetch_add(1, Ordering::SeqCst);
        *self.script.population.lock().unwrap()
    }

    async fn perform(&self, call: &Call, parameters: &Tickets, targets: &[Admitted<u32>]) -> Performed {
        self.script.calls.lock().unwrap().push((call.idempotency_key.clone(), call.started_at, call.deadline));
        for admitted in targets {
            let ticket = &parameters.tickets[usize::try_from(admitted.facts).unwrap() % parameters.tickets.len()];
            assert_eq!(
                ticket.to_lowercase(),
                admitted.target.id,
                "a target arrives with the facts that were read of it"
            );
        }
        self.work().await;
        if let Err(result) = self.script.meet_trouble("performing") {
            let proven_not_applied = targets.iter().map(|admitted| admitted.target.id.clone()).collect();
            return Performed { result, proven_not_applied };
        }
        self.clock.advance_ms(self.takes_ms.load(Ordering::SeqCst));
        self.touched.fetch_add(u32::try_from(targets.len()).unwrap(), Ordering::SeqCst);
        let scripted = self.script.results.lock().unwrap().pop_front();
        scripted.unwrap_or_else(|| AttemptResult::succeeded(Map::new())).into()
    }

    async fn describe(&self, _: &Call, _: &Tickets, _: &[Admitted<u32>]) -> Result<String, AttemptResult> {
        self.work().await;
        Ok("touch them".to_owned())
    }

    fn call_metric(&self, _: &Tickets, target: &Target) -> Option<CallMetric> {
        Some(CallMetric::TicketReallocation { reason: target.id.clone() })
    }

    fn intent(&self, _: &Call, _: &Tickets, targets: &[Admitted<u32>]) -> Option<Value> {
        Some(targets.iter().map(|admitted| json!(admitted.target.id)).collect())
    }

    async fn probe(&self, _: &Call, _: &Tickets, _: &[Target], intent: Option<&Value>) -> Probe {
        if let Some(probe) = self.script.probe.lock().unwrap().take() {
            return probe;
        }
        match intent {
            Some(stored) => {
                let output = Map::from_iter([("intent".to_owned(), stored.clone())]);
                Probe::Done(Box::new(AttemptResult::succeeded(output)))
            }
            None => Probe::NotDone,
        }
    }
}

/// Decides by the ticket's name, and records its inputs.
#[derive(Default)]
struct Judge(Mutex<Vec<PolicyInput>>);

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

struct Rig {
    worker: Worker,
    clock: Arc<ManualClock>,
    queues: Arc<Queues>,
    claims: Arc<Claims>,
    switches: Arc<Switches>,
    faults: Faults,
    judge: Arc<Judge>,
    seen: Arc<observed::Seen>,
    takes_ms: Arc<AtomicU64>,
    touched: Arc<AtomicU32>,
    read: Arc<AtomicU32>,
    script: Arc<Script>,
    deliveries: AtomicU32,
}

impl Rig {
    fn new(safety: Safety) -> Self {
        Self::bounded(safety, Guardrails::default())
    }

    fn bounded(safety: Safety, guardrails: Guardrails) -> Self {
        Self::judged(safety, guardrails, true)
    }

    /// The policy is asked about what is critical, and about nothing else.
    fn judged(safety: Safety, guardrails: Guardrails, critical: bool) -> Self {
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

    fn command(&self, run: &str, parameters: Value) -> ActionCommand {
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
    fn queued(&self, run: &str, parameters: Value) -> ActionCommand {
        let deadline = self.clock.now().plus_ms(limit::START_WINDOW_MS);
        let effect_key = Some(format!("{run}/step#2"));
        ActionCommand { deadline, timeout_ms: Some(60_000), effect_key, ..self.command(run, parameters) }
    }

    /// The command of a shadow run.
    fn shadow(&self, run: &str, parameters: Value) -> ActionCommand {
        let command = self.queued(run, parameters);
        ActionCommand { shadow: true, parameters_digest: digest_shadowed(&command.parameters), ..command }
    }

    /// The first call of an attempt takes the claim; the second reserves, and stores the intent; after a slow effect the third restarts the
    /// reservations.
    fn fail_reservation(&self, number: u32, when: When) {
        let mut reservations = 0;
        self.faults.decide_by(move |operation| {
            reservations += u32::from(operation == "claims.reserve");
            (operation == "claims.reserve" && reservations == number).then_some(when)
        });
    }

    async fn inbound(&self) -> Vec<Inbound> {
        let deliveries = self.queues.receive(&QueueName::Results, 100, 1_000).await.unwrap();
        deliveries.iter().map(|delivery| Inbound::parse(&delivery.body).unwrap()).collect()
    }

    async fn deliver(&self, command: &ActionCommand) -> Result<CommandOutcome, Error> {
        let holder = LeaseOwner(format!("delivery-{}", self.deliveries.fetch_add(1, Ordering::SeqCst)));
        self.worker.handle(&serde_json::to_string(command).unwrap(), holder).await
    }

    async fn perform(&self, command: &ActionCommand) -> AttemptResult {
        match self.deliver(command).await.unwrap() {
            CommandOutcome::Answered(result) => *result,
            other => panic!("not answered: {other:?}"),
        }
    }

    fn touched(&self) -> u32 {
        self.touched.load(Ordering::SeqCst)
    }

    async fn answers(&self) -> Vec<AttemptResult> {
        let deliveries = self.queues.receive(&QueueName::Results, 100, 1_000).await.unwrap();
        let answer = |body: &str| match Inbound::parse(body).unwrap() {
            Inbound::Result(result) => result.result,
            other => panic!("not a result: {other:?}"),
        };
        deliveries.iter().map(|delivery| answer(&delivery.body)).collect()
    }
}

fn tickets(names: &[&str]) -> Value {
    json!({ "tickets": names })
}

#[tokio::test(start_paused = true)]
async fn a_denied_step_touches_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["forbidden"]))).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Denied { violations } if violations[0].rule == "forbidden"),
        "{result:?}"
    );
    assert_eq!(rig.touched(), 0);
    assert_eq!(rig.answers().await, [result]);
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_asks_people_about_is_done_only_with_their_approval_of_exactly_this() {
    let rig = Rig::new(Safety::Idempotent);
    let command = |run: &str| rig.command(run, tickets(&["a", "asks"]));
    let approved = |digest: &Digest, groups: &[&str]| Approved {
        digest: digest.clone(),
        by: vec!["local:ann".to_owned()],
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let exact = command("run-1").parameters_digest;
    let other = Digest::of(b"something else");
    for (run, given) in [
        ("run-1", None),
        ("run-2", Some(approved(&other, &["oncall"]))),
        ("run-3", Some(approved(&exact, &["neighbours"]))),
    ] {
        let result = rig.perform(&ActionCommand { approved: given, ..command(run) }).await;
        let AttemptOutcome::NeedsApproval { violations, approvers } = &result.outcome else { panic!("{result:?}") };
        assert_eq!(
            (violations[0].rule.as_str(), approvers.as_slice()),
            ("forbidden", ["oncall".to_owned()].as_slice())
        );
        assert!(result.is_proven_not_applied(), "{result:?}");
        assert_eq!(rig.touched(), 0, "not even the ticket about which nobody is asked");
        let decided = decided(&result);
        let decided: Vec<_> = decided.iter().map(|(target, verdict, _)| (target.as_str(), *verdict)).collect();
        assert_eq!(decided, [("asks", "needs_approval")]);
    }
    let given = Some(approved(&exact, &["oncall"]));
    let result = rig.perform(&ActionCommand { approved: given, ..command("run-4") }).await;
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn a_step_without_a_policy_decision_touches_nothing_and_may_be_retried() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["undecided"]))).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Failed { code, retryable: true, .. } if code == "policy_unavailable"),
        "{result:?}"
    );
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_tickets_of_a_batch_are_admitted_one_by_one() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["a", "forbidden", "b", "undecided"]))).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.touched(), 2);
    let denied: Vec<_> = result.output["denied"].as_array().unwrap().iter().map(|entry| &entry["target"]).collect();
    assert_eq!(denied, ["forbidden", "undecided"]);
    assert_eq!((result.warnings.len(), result.follow_up.len()), (2, 2), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn a_finished_attempt_answers_again_and_touches_nothing() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("run", tickets(&["a"]));
    let first = rig.perform(&command).await;
    assert_eq!(rig.perform(&command).await, first);
    assert_eq!(rig.touched(), 1);
    assert_eq!(rig.answers().await, [first.clone(), first]);
}

#[tokio::test(start_paused = true)]
async fn the_policy_gets_the_action_and_the_time_when_the_target_was_last_touched() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("run-1", tickets(&["a"]))).await;
    let touched_at = rig.clock.now();
    rig.clock.advance_ms(1_000);
    let second = rig.perform(&rig.command("run-2", tickets(&["a"]))).await;
    let asked = rig.judge.0.lock().unwrap().clone();
    assert_eq!(asked[0].resource.action, "touch");
    assert_eq!(asked[0].context.last_reallocation_timestamp, 0);
    assert_eq!(asked[1].context.last_reallocation_timestamp, touched_at.0 * 1_000_000);
    assert!(asked[1].context.now_ns > asked[1].context.last_reallocation_timestamp);
    assert!(
        matches!(second.outcome, AttemptOutcome::CoolingDown { .. }),
        "this policy allows it, the cooldown does not: {second:?}"
    );
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_counts_from_the_end_of_a_long_effect() {
    let rig = Rig::new(Safety::Idempotent);
    rig.takes_ms.store(20_000, Ordering::SeqCst);
    rig.perform(&rig.command("run-1", tickets(&["a"]))).await;
    rig.takes_ms.store(0, Ordering::SeqCst);
    rig.clock.advance_ms(COOLDOWN_MS - 1);
    let early = rig.perform(&rig.command("run-2", tickets(&["a"]))).await;
    assert!(matches!(early.outcome, AttemptOutcome::CoolingDown { .. }), "{early:?}");
    rig.clock.advance_ms(1);
    assert_eq!(rig.perform(&rig.command("run-3", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_the_log_did_not_authorise_touch_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    let mut command = rig.command("run", tickets(&["a"]));
    command.parameters = tickets(&["b"]).as_object().unwrap().clone();
    let result = rig.perform(&command).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Failed { code, .. } if code == "parameters_changed"),
        "{result:?}"
    );
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_does_not_fit_the_schema_is_named() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", json!({"tickets": ["a", 7]}))).await;
    let AttemptOutcome::Failed { code, message, retryable: false } = &result.outcome else { panic!("{result:?}") };
    assert_eq!(code, "bad_parameters");
    assert!(message.contains("parameters/tickets/1"), "{message}");
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_after_its_deadline_touches_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.command("run", tickets(&["a"]));
    rig.clock.set(command.deadline);
    let result = rig.perform(&command).await;
    assert!(matches!(result.outcome, AttemptOutcome::TimedOut { .. }) && result.not_applied, "{result:?}");
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_of_another_action_and_one_that_cannot_be_read_are_refused() {
    let rig = Rig::new(Safety::Idempotent);
    let command = ActionCommand { action: "other".to_owned(), ..rig.command("run", tickets(&["a"])) };
    assert!(matches!(rig.deliver(&command).await, Err(Error::WrongAction { .. })));
    let garbled = rig.worker.handle("{\"run_id\": 7}", LeaseOwner("h".to_owned())).await;
    assert!(matches!(garbled, Err(Error::Unreadable(_))));
}

#[tokio::test(start_paused = true)]
async fn another_workers_live_claim_is_left_alone_and_an_expired_one_is_recovered_as_far_as_is_safe() {
    for (safety, touched) in [(Safety::Idempotent, 2), (Safety::Unknown, 1)] {
        let rig = Rig::new(safety);
        let command = rig.command("run", tickets(&["a"]));
        // The effect happens, and its result is not stored: as if the worker had died.
        rig.faults.fail_next_of("claims.finish", 1, When::Before);
        assert!(rig.deliver(&command).await.is_err());
        assert!(matches!(rig.deliver(&command).await.unwrap(), CommandOutcome::Busy { .. }));
        rig.clock.advance_ms(LEASE_MS);
        let result = rig.perform(&command).await;
        assert_eq!(rig.touched(), touched, "{safety:?}");
        assert_eq!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), safety == Safety::Unknown, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_worker_may_have_done_counts_also_if_its_command_is_refused_now() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("run", tickets(&["a"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    let changed = ActionCommand { parameters_digest: Digest::of(b"others"), ..command };
    let result = rig.perform(&changed).await;
    assert!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), "{result:?}");
}

/// What it says is of this try alone; a success is of the step.
#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_dead_worker_says_that_the_worker_may_have_acted_and_a_success_does_not() {
    for is_refused in [true, false] {
        let rig = Rig::new(Safety::Idempotent);
        let command = rig.command("run", tickets(&["a"]));
        rig.faults.fail_next_of("claims.finish", 1, When::Before);
        assert!(rig.deliver(&command).await.is_err());
        rig.clock.advance_ms(LEASE_MS);
        let changed = ActionCommand { parameters_digest: Digest::of(b"others"), ..command.clone() };
        let result = rig.perform(if is_refused { &changed } else { &command }).await;
        assert_eq!(result.may_have_acted, is_refused, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_gets_what_the_dead_worker_was_about_to_do() {
    let rig = Rig::new(Safety::Probe);
    let command = rig.command("run", tickets(&["forbidden", "b"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    let result = rig.perform(&command).await;
    assert_eq!(result.output["intent"], json!(["b"]), "of the admitted targets alone: {result:?}");
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_touched_before_the_intent_is_stored() {
    for when in [When::Before, When::After] {
        let rig = Rig::new(Safety::Probe);
        let command = rig.command("run", tickets(&["a"]));
        rig.fail_reservation(2, when);
        assert!(rig.deliver(&command).await.is_err());
        rig.faults.clear();
        assert_eq!(rig.touched(), 0);
        // The claim was released: the next worker neither waits nor probes.
        let result = rig.perform(&command).await;
        assert_eq!((result.outcome, result.output.len(), rig.touched()), (AttemptOutcome::Succeeded, 0, 1));
    }
    let rig = Rig::new(Safety::Idempotent);
    rig.faults.fail_next_of("claims.intend", 1, When::Before);
    assert_eq!(rig.perform(&rig.command("run", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_read_only_action_takes_no_claim() {
    let rig = Rig::new(Safety::ReadOnly);
    // Every call of the claims would fail: none is made.
    rig.faults.fail_next_of("claims.reserve", 10, When::Before);
    rig.faults.fail_next_of("claims.finish", 10, When::Before);
    let command = rig.command("run", tickets(&[]));
    assert!(matches!(rig.deliver(&command).await.unwrap(), CommandOutcome::Answered(_)));
    assert!(matches!(rig.deliver(&command).await.unwrap(), CommandOutcome::Answered(_)));
    assert_eq!(rig.answers().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_before_its_platform_does() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.command("run", tickets(&["a"]));
    let body = serde_json::to_string(&command).unwrap();
    let late = rig.worker.handle_before(&body, LeaseOwner("h".to_owned()), Some(rig.clock.now())).await.unwrap();
    let CommandOutcome::Answered(result) = late else { panic!("{late:?}") };
    assert!(matches!(result.outcome, AttemptOutcome::TimedOut { .. }), "{result:?}");
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_released_where_nothing_was_done_so_that_the_next_worker_need_not_recover() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("run", tickets(&["a"]));
    rig.faults.fail_next_of("claims.last_touched", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    assert_eq!(rig.perform(&command).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_makes_four_claim_calls_whatever_its_size_and_reads_and_asks_once_per_ticket() {
    let kinds = [
        (1_u32, Safety::Idempotent),
        (1, Safety::Probe),
        (10, Safety::Idempotent),
        (1_000, Safety::Idempotent),
        (10, Safety::Probe),
    ];
    for (size, safety) in kinds {
        let rig = Rig::new(safety);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::clone(&calls);
        rig.faults.decide_by(move |call| {
            count.lock().unwrap().extend(call.starts_with("claims.").then(|| call.to_owned()));
            None
        });
        let names: Vec<String> = (0..size).map(|number| format!("t-{number}")).collect();
        let result = rig.perform(&rig.command("run", json!({ "tickets": names }))).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded);
        assert_eq!(
            *calls.lock().unwrap(),
            ["claims.reserve", "claims.last_touched", "claims.reserve", "claims.finish"],
            "{size} tickets of an action that is {safety:?}"
        );
        assert_eq!(rig.read.load(Ordering::SeqCst), size, "facts of {size} tickets");
        assert_eq!(rig.judge.0.lock().unwrap().len(), names.len());
        assert_eq!(rig.touched(), size);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_counts_from_when_a_worker_takes_it() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.queued("run", tickets(&["a"]));
    rig.clock.set(Timestamp(command.deadline.0 - 1));
    let taken = rig.clock.now();
    assert_eq!(rig.perform(&command).await.outcome, AttemptOutcome::Succeeded);
    let end = taken.plus_ms(60_000 - heal_runtime::attempt::ANSWER_MARGIN_MS);
    assert_eq!(*rig.script.calls.lock().unwrap(), [("run/step#2".to_owned(), taken, end)]);
    let [Inbound::Result(result)] = &rig.inbound().await[..] else { panic!("no result") };
    assert_eq!(result.started_at, Some(taken));
}

#[tokio::test(start_paused = true)]
async fn a_command_after_its_last_moment_to_start_does_nothing_and_the_same_attempt_can_be_issued_again() {
    for safety in [Safety::Unknown, Safety::Idempotent, Safety::ReadOnly] {
        let rig = Rig::new(safety);
        let command = rig.queued("run", tickets(&["a"]));
        rig.clock.set(command.deadline);
        assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Late);
        assert_eq!(rig.touched(), 0);
        let [Inbound::Late(late)] = &rig.inbound().await[..] else { panic!("no answer") };
        assert_eq!((&late.token, late.attempt, late.taken_at), (&command.token, 1, command.deadline));
        let again = ActionCommand { token: Token::new("again"), ..rig.queued("run", tickets(&["a"])) };
        let result = rig.perform(&again).await;
        assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1), "{safety:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_commands_of_an_attempt_the_second_gets_the_stored_result_under_its_own_token() {
    let rig = Rig::new(Safety::Unknown);
    let first = rig.queued("run", tickets(&["a"]));
    let second = ActionCommand { token: Token::new("again"), ..first.clone() };
    let result = rig.perform(&first).await;
    // Also if it comes late: what was done was done in time.
    rig.clock.set(second.deadline);
    assert_eq!(rig.perform(&second).await, result);
    assert_eq!(rig.touched(), 1);
    let token = |inbound| match inbound {
        Inbound::Result(result) => result.token,
        other => panic!("not a result: {other:?}"),
    };
    let tokens: Vec<_> = rig.inbound().await.into_iter().map(token).collect();
    assert_eq!(tokens, [first.token, second.token]);
}

#[tokio::test(start_paused = true)]
async fn a_command_that_its_platform_gives_no_time_is_late() {
    let rig = Rig::new(Safety::Idempotent);
    let body = serde_json::to_string(&rig.queued("run", tickets(&["a"]))).unwrap();
    let outcome = rig.worker.handle_before(&body, LeaseOwner("h".to_owned()), Some(rig.clock.now())).await.unwrap();
    assert_eq!((outcome, rig.touched()), (CommandOutcome::Late, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_frozen_before_its_effect_is_late_and_leaves_no_cooldown() {
    let rig = Rig::new(Safety::Unknown);
    let command = ActionCommand { timeout_ms: Some(10_000), ..rig.queued("run", tickets(&["a"])) };
    // Within the claim's lease, beyond the attempt's time.
    rig.script.reading_takes_ms.store(20_000, Ordering::SeqCst);
    assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Late);
    rig.script.reading_takes_ms.store(0, Ordering::SeqCst);
    assert_eq!(rig.touched(), 0);
    let other = rig.perform(&rig.queued("run-2", tickets(&["a"]))).await;
    assert_eq!(other.outcome, AttemptOutcome::Succeeded, "the target is free");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_outlasted_its_lease_in_a_freeze_is_delivered_again() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.queued("run", tickets(&["a"]));
    rig.script.reading_takes_ms.store(LEASE_MS, Ordering::SeqCst);
    assert!(matches!(rig.deliver(&command).await, Err(Error::Backend(_))));
    rig.script.reading_takes_ms.store(0, Ordering::SeqCst);
    assert_eq!((rig.perform(&command).await.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_a_freeze_explains_is_tried_again_as_far_as_that_is_safe() {
    let outage = || {
        let (service, message) = ("tickets".to_owned(), "timeout".to_owned());
        AttemptResult::new(AttemptOutcome::Unavailable { service, message, retry_after_ms: None })
    };
    for (safety, touched) in [(Safety::Idempotent, 2), (Safety::Unknown, 1)] {
        let rig = Rig::new(safety);
        rig.takes_ms.store(90_000, Ordering::SeqCst);
        rig.script.results.lock().unwrap().push_back(outage());
        let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
        assert_eq!(rig.touched(), touched, "{safety:?}");
        assert_eq!(result.outcome == AttemptOutcome::Succeeded, safety == Safety::Idempotent, "{result:?}");
        assert_eq!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), safety == Safety::Unknown, "{result:?}");
        let calls = rig.script.calls.lock().unwrap();
        assert!(calls.iter().all(|(key, ..)| key == "run/step#2"), "{calls:?}");
    }
    // Without a freeze, it is an outage.
    let rig = Rig::new(Safety::Idempotent);
    rig.script.results.lock().unwrap().push_back(outage());
    let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
    assert_eq!((result.outcome, rig.touched()), (outage().outcome, 1));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_took_a_freeze_does_not_cost_the_run_the_time_of_the_freeze() {
    let rig = Rig::new(Safety::Idempotent);
    let taken = rig.clock.now();
    rig.takes_ms.store(20_000, Ordering::SeqCst);
    assert_eq!(rig.perform(&rig.queued("run", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
    let [Inbound::Result(result)] = &rig.inbound().await[..] else { panic!("no result") };
    // The dispatcher counts what is before the start as time in the queue.
    assert_eq!((result.started_at, result.finished_at), (Some(taken.plus_ms(20_000)), taken.plus_ms(20_000)));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_freezes_in_every_try_gives_up_and_reports_what_it_saw() {
    let rig = Rig::new(Safety::Idempotent);
    rig.takes_ms.store(5_000, Ordering::SeqCst);
    let timed_out = || AttemptResult::new(AttemptOutcome::TimedOut { message: "slow".to_owned() });
    rig.script.results.lock().unwrap().extend([timed_out(), timed_out(), timed_out(), timed_out()]);
    let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
    assert_eq!((result.outcome, rig.touched()), (timed_out().outcome, 3));
}

#[tokio::test(start_paused = true)]
async fn an_outage_before_the_effect_is_proven_not_to_have_applied() {
    let rig = Rig::new(Safety::Idempotent);
    let timed_out = ActionCommand { timeout_ms: None, ..rig.command("run", tickets(&["a"])) };
    rig.script.reading_takes_ms.store(25_000, Ordering::SeqCst);
    let command = ActionCommand { deadline: timed_out.issued_at.plus_ms(20_000), ..timed_out };
    let result = rig.perform(&command).await;
    assert!(matches!(result.outcome, AttemptOutcome::TimedOut { .. }) && result.not_applied, "{result:?}");
    assert_eq!(rig.touched(), 0);
}

/// The recorded decisions, each made again: target, verdict, and which part spoke against it.
fn decided(result: &AttemptResult) -> Vec<(String, &'static str, Vec<String>)> {
    let read = |value: &Value| {
        let record: DecisionRecord = format::decode(&value.to_string()).unwrap();
        let decision = replay(&record).unwrap_or_else(|difference| panic!("{difference}"));
        assert_eq!(
            (record.question.effect.action.as_str(), record.question.effect.service.as_str()),
            ("touch", "lamps")
        );
        let against = decision.reasons.iter().filter(|reason| reason.verdict.as_str() != "proceed");
        let against = against.map(|reason| reason.text.clone()).collect();
        (record.question.effect.target, decision.verdict.as_str(), against)
    };
    result.decisions.iter().map(read).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_decided_is_recorded_for_each_target_and_replays() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("earlier", tickets(&["b"]))).await;
    rig.clock.advance_ms(1_000);
    rig.read.store(0, Ordering::SeqCst);
    let result = rig.perform(&rig.command("run", tickets(&["a", "forbidden", "b", "undecided"]))).await;
    let no = "the policy (server) denies it: forbidden (no)".to_owned();
    let cools = "cooldown of touch for b: 1 of 1 used, free again in 299 s".to_owned();
    assert_eq!(
        decided(&result),
        // Nothing was decided on the target that the policy had no answer for.
        [
            ("forbidden".to_owned(), "deny", vec![no]),
            ("b".to_owned(), "hold", vec![cools]),
            ("a".to_owned(), "proceed", vec![])
        ]
    );
    let cooling: DecisionRecord = format::decode(&result.decisions[1].to_string()).unwrap();
    assert_eq!((cooling.policy_facts.touched_ms_ago, cooling.policy_took_ms), (Some(1_000), Some(0)));
    assert_eq!(rig.answers().await.last(), Some(&result), "the results queue carries them");
}

#[tokio::test(start_paused = true)]
async fn of_a_large_batch_the_refusals_are_recorded_first_and_the_rest_is_counted() {
    let rig = Rig::new(Safety::Idempotent);
    let names: Vec<String> = (0..limit::DECISIONS + 5).map(|number| format!("t-{number}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("forbidden");
    let result = rig.perform(&rig.command("run", tickets(&names))).await;
    let decided = decided(&result);
    assert_eq!((decided.len(), decided[0].1), (limit::DECISIONS, "deny"));
    assert_eq!(result.decisions_cut.map(std::num::NonZeroU32::get), Some(6));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_only_reads_records_the_policys_answer_and_nothing_else() {
    let rig = Rig::new(Safety::ReadOnly);
    let result = rig.perform(&rig.command("run", tickets(&["a"]))).await;
    assert_eq!(decided(&result).len(), 1, "the policy is asked about whatever is critical");
}
