//! An action whose time, reads and failures the test sets.

use super::*;

/// Touches tickets, takes the time that the test sets, and counts the touches and the reads before them.
pub(super) struct Touch {
    pub(super) spec: ActionSpec,
    pub(super) clock: Arc<ManualClock>,
    pub(super) takes_ms: Arc<AtomicU64>,
    pub(super) touched: Arc<AtomicU32>,
    pub(super) read: Arc<AtomicU32>,
    pub(super) script: Arc<Script>,
}

/// What the test makes the action do besides.
#[derive(Default)]
pub(super) struct Script {
    pub(super) reading_takes_ms: AtomicU64,
    /// The answer of the next probe.
    pub(super) probe: Mutex<Option<Probe>>,
    /// What is written on every target.
    pub(super) marks: Mutex<Marks>,
    pub(super) population: Mutex<Option<u32>>,
    /// How often the population was counted.
    pub(super) counted: AtomicU32,
    /// The results of the first calls; afterwards every call succeeds.
    pub(super) results: Mutex<VecDeque<AttemptResult>>,
    /// How long a call takes, in which this process is awake.
    pub(super) works_seconds: AtomicU64,
    /// How often this process has no descriptor left, and when.
    pub(super) troubles: Mutex<(&'static str, u32)>,
    /// The calls that were made: their keys, their starts and their deadlines.
    pub(super) calls: Mutex<Vec<(String, Timestamp, Timestamp)>>,
}

impl Script {
    pub(super) fn meet_trouble(&self, when: &str) -> Result<(), AttemptResult> {
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
    pub(super) async fn work(&self) {
        for _ in 0..self.script.works_seconds.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.clock.advance_ms(1_000);
        }
    }
}

#[derive(serde::Deserialize)]
pub(super) struct Tickets {
    pub(super) tickets: Vec<String>,
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
