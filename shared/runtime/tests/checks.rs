//! The driver of scheduled checks over fakes, in time that the test owns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use engine::check::{Check, Failing, Observation, Probe};
use runtime::Timestamp;
use runtime::checks::{Checked, Checks, ChecksError, DEADLINE, Outcome, Ports};
use runtime::port::{CheckStore, Clock, Prober, QueueName, Receiver as _, Sender};
use testkit::memory::{self, Faults, ManualClock, Queues, When};
use tokio::sync::Notify;

/// Looks as the test has written them: by service, what is seen from now on.
#[derive(Default)]
struct Scripted {
    seen: Mutex<BTreeMap<String, Seen>>,
    looks: Mutex<Vec<String>>,
    /// Looks wait for it where it is there.
    gate: Option<Arc<Notify>>,
}

#[derive(Debug, Clone)]
enum Seen {
    Well,
    Failing,
    Unknown,
    Hanging,
}

impl Scripted {
    fn set(&self, service: &str, seen: Seen) {
        self.seen.lock().unwrap().insert(service.to_owned(), seen);
    }

    fn looks(&self) -> Vec<String> {
        std::mem::take(&mut *self.looks.lock().unwrap())
    }
}

#[async_trait]
impl Prober for Scripted {
    async fn look(&self, probe: &Probe, _: Timestamp) -> Observation {
        let Probe::Http(http) = probe else { panic!("{probe:?}") };
        self.looks.lock().unwrap().push(http.url.clone());
        if let Some(gate) = &self.gate {
            gate.notified().await;
        }
        let seen = self.seen.lock().unwrap().get(&http.url).cloned();
        match seen.unwrap_or(Seen::Well) {
            Seen::Well => Observation::well(),
            Seen::Failing => {
                let fields = serde_json::json!({"id": http.url, "url": http.url, "status": 500});
                let fields = fields.as_object().unwrap().clone();
                Observation::failing(Failing { id: http.url.clone(), fields, reason: "it is ill".to_owned() })
            }
            Seen::Unknown => Observation::unknown("nobody knows"),
            Seen::Hanging => std::future::pending().await,
        }
    }
}

fn check(name: &str) -> Check {
    let text = format!(
        "probe: {{type: http, url: \"http://{name}\"}}\nfor: 3\nincident: {{incident_type: DOWN, service_name: \"{{{{ target.url }}}}\"}}\n"
    );
    let reading = engine::check::read(name, &text, None);
    reading.check.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))
}

struct Rig {
    checks: Checks,
    prober: Arc<Scripted>,
    store: Arc<memory::Checks>,
    queues: Arc<Queues>,
    clock: Arc<ManualClock>,
    faults: Faults,
}

impl Rig {
    fn new(names: &[&str]) -> Self {
        Self::with(names, Scripted::default())
    }

    fn with(names: &[&str], prober: Scripted) -> Self {
        let clock = Arc::new(ManualClock::default());
        let faults = Faults::default();
        let store = Arc::new(memory::Checks::new(faults.clone()));
        let queues = Arc::new(Queues::new(Arc::clone(&clock) as Arc<dyn Clock>, faults.clone()));
        let prober = Arc::new(prober);
        let ports = Ports {
            prober: Arc::clone(&prober) as Arc<dyn Prober>,
            store: Arc::clone(&store) as Arc<dyn CheckStore>,
            sender: Arc::clone(&queues) as Arc<dyn Sender>,
        };
        let checks = Checks::new(names.iter().map(|name| check(name)), ports).unwrap();
        Self { checks, prober, store, queues, clock, faults }
    }

    async fn run(&self) -> Vec<Checked> {
        self.checks.run(self.clock.now()).await
    }

    /// One tick of a minute.
    async fn tick(&self) -> Vec<Checked> {
        self.clock.advance_ms(60_000);
        self.run().await
    }

    /// Incident ids of the messages on the queue, in order, which are taken off it.
    async fn incidents(&self) -> Vec<String> {
        let deliveries = self.queues.receive(&QueueName::Incidents, 100, 1_000).await.unwrap();
        let ids = deliveries.iter().map(|delivery| {
            let intake = engine::incident::read(&delivery.body).unwrap();
            assert_eq!(intake.incident_type.as_deref(), Some("DOWN"));
            intake.incident_id
        });
        let ids = ids.collect();
        self.queues.acknowledge(deliveries.iter().map(|delivery| delivery.receipt.clone()).collect()).await.unwrap();
        ids
    }
}

fn raised(checked: &[Checked]) -> usize {
    let count = |checked: &Checked| match &checked.outcome {
        Outcome::Looked { raised, .. } => raised.len(),
        Outcome::NotDue | Outcome::Unknown { .. } | Outcome::Overtaken | Outcome::Failed(_) | Outcome::Late => 0,
    };
    checked.iter().map(count).sum()
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_raise_one_incident() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    let mut counts = Vec::new();
    for _ in 0..10 {
        counts.push(raised(&rig.tick().await));
    }
    assert_eq!(counts, [0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(rig.incidents().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_recovery_sets_the_count_back() {
    let rig = Rig::new(&["portal"]);
    for seen in [Seen::Failing, Seen::Failing, Seen::Well, Seen::Failing, Seen::Failing] {
        rig.prober.set("http://portal", seen);
        assert_eq!(raised(&rig.tick().await), 0);
    }
    assert_eq!(raised(&rig.tick().await), 1);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_tells_nothing_raises_nothing_and_is_said() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Unknown);
    for _ in 0..5 {
        let checked = rig.tick().await;
        assert!(matches!(&checked[0].outcome, Outcome::Unknown { reason } if reason == "nobody knows"), "{checked:?}");
    }
    assert_eq!(rig.incidents().await, Vec::<String>::new());
    let (_, json) = rig.store.load("portal").await.unwrap().unwrap();
    assert!(json.contains("\"unknown\":5"), "{json}");
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_the_same_time_count_and_raise_once() {
    let gate = Arc::new(Notify::new());
    let rig = Rig::with(&["portal"], Scripted { gate: Some(Arc::clone(&gate)), ..Scripted::default() });
    rig.prober.set("http://portal", Seen::Failing);
    for tick in 1..=3 {
        rig.clock.advance_ms(60_000);
        // Both have loaded the same state before either looks.
        let release = async {
            while rig.prober.looks.lock().unwrap().len() < 2 {
                tokio::task::yield_now().await;
            }
            gate.notify_waiters();
        };
        let now = rig.clock.now();
        // The second one belongs to the next tick: it would lie in another window, were it not for the state that they share.
        let later = now.plus_ms(59_000);
        let (first, second, ()) = tokio::join!(rig.checks.run(now), rig.checks.run(later), release);
        let outcomes = [&first[0].outcome, &second[0].outcome];
        let overtaken = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Overtaken)).count();
        assert_eq!(overtaken, 1, "tick {tick}: {outcomes:?}");
        assert_eq!(raised(&first) + raised(&second), usize::from(tick == 3), "tick {tick}: {outcomes:?}");
        rig.prober.looks();
        rig.clock.set(later);
    }
    assert_eq!(rig.incidents().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_comes_twice_is_one_look() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    for _ in 0..2 {
        rig.tick().await;
        for late_ms in [0, 400, 20_000] {
            let again = rig.checks.run(rig.clock.now().plus_ms(late_ms)).await;
            assert!(matches!(again[0].outcome, Outcome::NotDue), "{again:?}");
        }
    }
    assert_eq!(rig.prober.looks().len(), 2);
    assert_eq!(rig.incidents().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_lost_state_raises_no_second_incident_inside_the_window() {
    // Wherever in its window a target is: one of two ids in a row at most is another one.
    for start_minutes in 0..15 {
        let rig = Rig::new(&["portal"]);
        rig.clock.advance_ms(start_minutes * 60_000);
        rig.prober.set("http://portal", Seen::Failing);
        let mut ids = BTreeSet::new();
        // Three runs up to a raise, again and again within one window's length.
        for _ in 0..4 {
            for _ in 0..3 {
                rig.tick().await;
            }
            rig.store.lose();
            ids.extend(rig.incidents().await);
        }
        // Nine minutes lie between the first and the last raise: they touch two windows at most, each with one incident.
        assert!(ids.len() <= 2, "{start_minutes}: {ids:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn inside_one_window_a_lost_state_raises_the_same_incident() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    let mut ids = Vec::new();
    for _ in 0..30 {
        for _ in 0..3 {
            rig.tick().await;
        }
        rig.store.lose();
        ids.extend(rig.incidents().await);
    }
    assert_eq!(ids.len(), 30, "each time it is decided anew");
    // Ninety minutes have six or seven windows of fifteen.
    let windows = ids.iter().collect::<BTreeSet<_>>().len();
    assert!((6..=7).contains(&windows), "{windows} incidents");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_probe_does_not_hold_up_the_others() {
    let rig = Rig::new(&["hanging", "portal"]);
    rig.prober.set("http://hanging", Seen::Hanging);
    rig.prober.set("http://portal", Seen::Failing);
    for tick in 1..=3 {
        let started = tokio::time::Instant::now();
        let checked = rig.tick().await;
        assert!(started.elapsed() <= DEADLINE, "{:?}", started.elapsed());
        assert!(matches!(&checked[0].outcome, Outcome::Unknown { .. }), "{checked:?}");
        assert_eq!(raised(&checked), usize::from(tick == 3));
    }
    assert_eq!(rig.incidents().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_is_over_at_its_deadline() {
    let rig = Rig::new(&["hanging"]);
    rig.prober.set("http://hanging", Seen::Hanging);
    let checks = rig.checks.clone().within(Duration::from_secs(4));
    let started = tokio::time::Instant::now();
    let checked = checks.run(rig.clock.now()).await;
    assert_eq!(started.elapsed(), Duration::from_secs(3), "a quarter is kept for storing and sending");
    assert!(matches!(checked[0].outcome, Outcome::Unknown { .. }), "{checked:?}");
}

#[tokio::test(start_paused = true)]
async fn one_checks_failure_costs_the_others_nothing() {
    let rig = Rig::new(&["a", "b"]);
    rig.prober.set("http://b", Seen::Failing);
    rig.store.store("a", 0, "not a state").await.unwrap();
    for tick in 1..=3 {
        let checked = rig.tick().await;
        assert_eq!(raised(&checked), usize::from(tick == 3), "{checked:?}");
    }
    // A state that cannot be read is begun anew.
    assert!(rig.store.load("a").await.unwrap().unwrap().1.starts_with('{'));
    rig.faults.fail_next_of("checks.load", 1, When::Before);
    let checked = rig.tick().await;
    let failed = checked.iter().filter(|checked| matches!(checked.outcome, Outcome::Failed(_))).count();
    assert_eq!(failed, 1, "{checked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_is_sent_at_the_next_look_under_its_id() {
    for when in [When::Before, When::After] {
        let rig = Rig::new(&["portal"]);
        rig.prober.set("http://portal", Seen::Failing);
        for _ in 0..2 {
            rig.tick().await;
        }
        rig.faults.fail_next_of("queue.send", 1, when);
        let checked = rig.tick().await;
        assert!(matches!(checked[0].outcome, Outcome::Failed(_)), "{checked:?}");
        let mut ids = rig.incidents().await;
        assert_eq!(raised(&rig.tick().await), 1);
        ids.extend(rig.incidents().await);
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1, "{ids:?}");
        assert_eq!(raised(&rig.tick().await), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_could_not_be_stored_sends_nothing_and_loses_nothing() {
    for when in [When::Before, When::After] {
        let rig = Rig::new(&["portal"]);
        rig.prober.set("http://portal", Seen::Failing);
        for _ in 0..2 {
            rig.tick().await;
        }
        rig.faults.fail_next_of("checks.store", 1, when);
        let checked = rig.tick().await;
        assert!(matches!(checked[0].outcome, Outcome::Failed(_)), "{checked:?}");
        assert_eq!(rig.incidents().await, Vec::<String>::new());
        assert_eq!(raised(&rig.tick().await), 1);
        assert_eq!(rig.incidents().await.len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sending_that_could_not_be_noted_is_repeated_once_under_its_id() {
    let rig = Rig::new(&["portal"]);
    rig.prober.set("http://portal", Seen::Failing);
    for _ in 0..2 {
        rig.tick().await;
    }
    let mut stores = 0;
    rig.faults.decide_by(move |operation| {
        stores += usize::from(operation == "checks.store");
        (operation == "checks.store" && stores == 2).then_some(When::Before)
    });
    assert_eq!(raised(&rig.tick().await), 1);
    rig.faults.clear();
    assert_eq!(raised(&rig.tick().await), 1);
    assert_eq!(raised(&rig.tick().await), 0);
    let ids = rig.incidents().await;
    assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
}

#[tokio::test(start_paused = true)]
async fn a_check_is_looked_at_as_often_as_it_says() {
    let rig = Rig::new(&["portal"]);
    let mut slow = check("slow");
    slow.every_seconds = 180;
    let ports = Ports {
        prober: Arc::clone(&rig.prober) as Arc<dyn Prober>,
        store: Arc::clone(&rig.store) as Arc<dyn CheckStore>,
        sender: Arc::clone(&rig.queues) as Arc<dyn Sender>,
    };
    let checks = Checks::new([slow, check("portal")], ports).unwrap();
    for _ in 0..9 {
        // A schedule that is never quite on time.
        rig.clock.advance_ms(59_700);
        checks.run(rig.clock.now()).await;
    }
    let looks = rig.prober.looks();
    assert_eq!(looks.iter().filter(|url| *url == "http://portal").count(), 9);
    assert_eq!(looks.iter().filter(|url| *url == "http://slow").count(), 3);
}

/// The time of the runtime, which stands still while anything is to be done.
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        ManualClock::START.plus_ms(u64::try_from(self.0.elapsed().as_millis()).unwrap())
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_keeps_looking_looks_at_each_check_in_its_time_until_it_is_stopped() {
    let rig = Rig::new(&["hanging", "portal"]);
    rig.prober.set("http://hanging", Seen::Hanging);
    rig.prober.set("http://portal", Seen::Failing);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let checks = rig.checks.clone().every(Duration::from_secs(2));
    let looking = tokio::spawn(checks.keep_looking(Arc::new(Virtual(tokio::time::Instant::now())), stopped));
    tokio::time::sleep(Duration::from_secs(230)).await;
    let looks = rig.prober.looks();
    assert_eq!(looks.iter().filter(|url| *url == "http://portal").count(), 4);
    assert_eq!(looks.iter().filter(|url| *url == "http://hanging").count(), 4);
    assert_eq!(rig.incidents().await.len(), 1);
    // The hanging one is in the middle of a look.
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_millis(1), looking).await.unwrap().unwrap();
}

#[test]
fn checks_that_cannot_be_used_are_refused() {
    let ports = || Ports {
        prober: Arc::new(Scripted::default()),
        store: Arc::new(memory::Checks::default()),
        sender: Arc::new(Queues::new(Arc::new(ManualClock::default()), Faults::default())),
    };
    let error = Checks::new([check("a"), check("b"), check("a")], ports()).unwrap_err();
    assert!(matches!(error, ChecksError::Twice { name } if name == "a"));
    let many = (0..=engine::limit::CHECKS).map(|number| check(&format!("c{number}")));
    assert!(matches!(Checks::new(many, ports()).unwrap_err(), ChecksError::TooMany { observed: 101 }));
    let full = (0..engine::limit::CHECKS).map(|number| check(&format!("c{number}")));
    assert_eq!(Checks::new(full, ports()).unwrap().iter().count(), engine::limit::CHECKS);
    assert!(matches!(Checks::from_json("{}", ports()).unwrap_err(), ChecksError::Unreadable(_)));
    let json = engine::check::to_json(&[check("a"), check("b")]);
    let names: Vec<String> =
        Checks::from_json(&json, ports()).unwrap().iter().map(|check| check.name.clone()).collect();
    assert_eq!(names, ["a", "b"]);
}

mod library {
    use engine::catalog::Catalog;
    use engine::playbook::Playbook;
    use runtime::library::{Library, LibraryError};

    fn playbook(name: &str) -> Playbook {
        let text = format!(
            "triggers: [{{incident_type: {}, condition: \"{{{{ severity == 'HIGH' }}}}\"}}]\nparameters_schema: {{type: object, required: [a]}}\nactions: [{{type: wait, parameters: {{seconds: 1}}}}]\n",
            name.to_uppercase()
        );
        engine::playbook::read(name, &text, &Catalog::default()).playbook.unwrap()
    }

    #[test]
    fn a_library_goes_through_json_with_its_digests() {
        let library = Library::new([playbook("b"), playbook("a")]).unwrap();
        let again = Library::from_json(&library.to_json()).unwrap();
        let digests = |library: &Library| {
            library
                .entries()
                .map(|entry| (entry.plan.playbook.name.clone(), entry.plan.digest.clone()))
                .collect::<Vec<_>>()
        };
        assert_eq!(digests(&again), digests(&library));
        assert_eq!(again.names().collect::<Vec<_>>(), ["a", "b"]);
    }

    #[test]
    fn json_that_is_no_library_is_refused() {
        for wrong in ["", "{}", "[{}]"] {
            assert!(matches!(Library::from_json(wrong).unwrap_err(), LibraryError::Unreadable(_)), "{wrong}");
        }
        let twice = serde_json::to_string(&[playbook("a"), playbook("a")]).unwrap();
        assert!(matches!(Library::from_json(&twice).unwrap_err(), LibraryError::Twice { .. }));
    }
}
