//! What a playbook's level of autonomy makes of its incidents.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::Arc;

use heal_engine::event::{Event, RunOutcome, RunStarted};
use heal_engine::message::ActionResult;
use heal_engine::turn::Input;
use heal_guard::{AutonomyLevel, AutonomyRule, AutonomySetting, Demote, Guardrails};
use heal_runtime::dispatcher::{self, DispatchError, Dispatcher, IntakeOutcome};
use heal_runtime::library::Library;
use heal_runtime::port::{AutonomyStore as _, OsEntropy, QueueName, Receiver as _, RunFilter, RunHead, RunReader as _};
use heal_runtime::{ActionCommand, AttemptResult, Map, RunStatus, Timestamp};
use heal_testkit::memory::{Autonomies, Faults, ManualClock, Queues, Runs, When};
use serde_json::json;

struct Rig {
    dispatcher: Dispatcher,
    runs: Arc<Runs>,
    queues: Arc<Queues>,
    settings: Arc<Autonomies>,
    faults: Faults,
    clock: Arc<ManualClock>,
}

impl Rig {
    fn new(rule: Option<AutonomyLevel>) -> Self {
        Self::with(rule.map(|level| AutonomyRule { playbook: "one_step".to_owned(), level, demote: None }))
    }

    fn with(rule: Option<AutonomyRule>) -> Self {
        let step = json!({
            "name": "act", "type": "act", "needs": [], "timeout_seconds": 60, "on_failure": "stop", "on_unavailable": "skip",
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "safety": "idempotent", "parameters": {},
        });
        let playbook = json!({
            "name": "one_step", "description": "", "timeout_seconds": 3_600, "triggers": [{"incident_type": "ONE"}],
            "concurrency_key": "{{ target }}", "actions": [step], "verify": [],
        });
        let library = Library::new([serde_json::from_value(playbook).unwrap()]).unwrap();
        let clock = Arc::new(ManualClock::default());
        let runs = Arc::new(Runs::new(Faults::default()));
        let queues = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: heal_testkit::memory::no_halts(),
            sender: queues.clone(),
            clock: clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let faults = Faults::default();
        let settings = Arc::new(Autonomies::new(faults.clone()));
        let guardrails = Guardrails { autonomy: rule.into_iter().collect(), ..Guardrails::default() };
        let dispatcher =
            Dispatcher::new(ports, Arc::new(library)).with_autonomy(settings.clone(), Arc::new(guardrails));
        Self { dispatcher, runs, queues, settings, faults, clock }
    }

    async fn set(&self, level: AutonomyLevel) {
        let (playbook, by, reason) = ("one_step".to_owned(), "local:ann".to_owned(), "we watch it".to_owned());
        self.settings
            .set(&AutonomySetting { playbook, level, by, reason, since: Timestamp(1), history: Vec::new() })
            .await
            .unwrap();
    }

    async fn accept(&self, incident_id: &str) -> Result<IntakeOutcome, DispatchError> {
        let incident = json!({"incident_id": incident_id, "incident_type": "ONE", "target": "t-1"}).to_string();
        self.dispatcher.accept(&incident, &format!("message of {incident_id}"), None).await
    }

    /// The run that the incident has started.
    async fn started(&self, incident_id: &str) -> (RunHead, RunStarted) {
        let IntakeOutcome::Started { run_id, .. } = self.accept(incident_id).await.unwrap() else {
            panic!("{incident_id} started no run")
        };
        let head = self.runs.head(&run_id).await.unwrap().unwrap();
        let commits = self.runs.load(&run_id, 0).await.unwrap();
        let Event::RunStarted(started) = &commits[0].events[0] else { panic!("{commits:?}") };
        (head, (**started).clone())
    }

    async fn commands(&self) -> Vec<ActionCommand> {
        let deliveries = self.queues.receive(&QueueName::Action("act".to_owned()), 100, 1_000).await.unwrap();
        deliveries.iter().map(|delivery| serde_json::from_str(&delivery.body).unwrap()).collect()
    }

    async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 100, None).await.unwrap().runs
    }
}

#[tokio::test]
async fn without_a_level_a_run_acts_alone() {
    let rig = Rig::new(None);
    let (head, started) = rig.started("inc-1").await;
    assert_eq!((head.status, started.autonomy), (RunStatus::Running, None));
    assert!(!rig.commands().await[0].shadow);
}

#[tokio::test]
async fn a_playbook_that_is_switched_off_records_its_incident_and_does_nothing() {
    let rig = Rig::new(None);
    rig.set(AutonomyLevel::Off).await;
    let (head, _) = rig.started("inc-1").await;
    assert_eq!((head.status, head.outcome), (RunStatus::Cancelled, Some(RunOutcome::Cancelled)));
    assert_eq!(head.reason.as_deref(), Some("playbook one_step is switched off by local:ann: we watch it"));
    assert!(rig.commands().await.is_empty());
    // The same incident is healed once the playbook is on again.
    rig.set(AutonomyLevel::Auto).await;
    let (head, started) = rig.started("inc-1").await;
    assert_eq!(head.status, RunStatus::Running);
    assert_eq!(started.autonomy.map(|autonomy| autonomy.level), Some(AutonomyLevel::Auto));
    assert_eq!(rig.commands().await.len(), 1);
}

#[tokio::test]
async fn a_shadow_run_holds_no_incident_and_no_target_back() {
    let rig = Rig::new(None);
    rig.set(AutonomyLevel::Shadow).await;
    let (shadow, started) = rig.started("inc-1").await;
    assert!(started.mode.is_shadow() && !started.approval);
    assert_eq!(started.autonomy.unwrap().by, "local:ann");
    assert!(rig.commands().await.iter().all(|command| command.shadow));
    // Twice the same message is one run; another incident about the same target joins the shadow run.
    assert_eq!(rig.accept("inc-1").await.unwrap(), IntakeOutcome::Known { run_id: shadow.run_id.clone() });
    assert_eq!(rig.accept("inc-2").await.unwrap(), IntakeOutcome::Joined { run_id: shadow.run_id });
    // Once the playbook may act, neither the target nor the incident is held back by the shadow run that is still live.
    rig.set(AutonomyLevel::Auto).await;
    let (live, started) = rig.started("inc-1").await;
    assert_eq!((live.status, started.mode.is_shadow()), (RunStatus::Running, false));
}

#[tokio::test]
async fn a_playbook_that_needs_approval_waits_for_a_person() {
    let rig = Rig::new(None);
    rig.set(AutonomyLevel::Approve).await;
    let (head, _) = rig.started("inc-1").await;
    assert_eq!(head.status, RunStatus::AwaitingApproval);
    assert!(rig.commands().await.is_empty());
}

#[tokio::test]
async fn no_command_allows_what_the_guardrails_forbid() {
    let rig = Rig::new(Some(AutonomyLevel::Approve));
    rig.set(AutonomyLevel::Auto).await;
    let (head, started) = rig.started("inc-1").await;
    assert_eq!(head.status, RunStatus::AwaitingApproval);
    assert_eq!(started.autonomy.unwrap().by, heal_guard::GUARDRAILS);
    rig.set(AutonomyLevel::Off).await;
    let (head, started) = rig.started("inc-2").await;
    assert_eq!(head.status, RunStatus::Cancelled);
    assert_eq!(started.autonomy.unwrap().by, "local:ann");
}

#[tokio::test]
async fn no_run_starts_while_the_level_cannot_be_read() {
    let rig = Rig::new(None);
    rig.faults.fail_next_of("autonomy.setting", 1, When::Before);
    assert!(matches!(rig.accept("inc-1").await, Err(DispatchError::Backend(_))));
    assert!(rig.heads().await.is_empty() && rig.commands().await.is_empty());
    assert_eq!(rig.started("inc-1").await.0.status, RunStatus::Running);
}

impl Rig {
    /// A run of its own target that ends as its only step does.
    async fn end(&self, number: usize, good: bool) -> RunOutcome {
        let incident =
            json!({"incident_id": format!("end-{number}"), "incident_type": "ONE", "target": format!("t-{number}")});
        let accepted = self.dispatcher.accept(&incident.to_string(), &number.to_string(), None).await.unwrap();
        let IntakeOutcome::Started { run_id, .. } = accepted else { panic!("{accepted:?}") };
        let command = self.commands().await.into_iter().find(|command| command.run_id == run_id).unwrap();
        let result = if good { AttemptResult::succeeded(Map::new()) } else { AttemptResult::failed("no", "it broke") };
        let result = ActionResult {
            run_id: run_id.clone(),
            step: command.step,
            item: command.item,
            attempt: command.attempt,
            token: command.token,
            finished_at: self.dispatcher.now(),
            started_at: None,
            result,
        };
        self.dispatcher.take(&run_id, &format!("result {number}"), &[Input::Result(Box::new(result))]).await.unwrap();
        self.runs.head(&run_id).await.unwrap().unwrap().outcome.unwrap()
    }

    async fn level(&self) -> Option<AutonomySetting> {
        self.settings.setting("one_step").await.unwrap()
    }
}

#[tokio::test]
async fn a_playbook_that_heals_too_rarely_goes_down_one_level_and_says_why() {
    let rig = Rig::new(None);
    for number in 0..10 {
        assert_eq!(rig.level().await, None, "after {number} runs");
        rig.clock.advance_ms(1_000);
        let outcome = rig.end(number, number < 4).await;
        assert_eq!(outcome == RunOutcome::Completed, number < 4, "{outcome:?}");
    }
    let set = rig.level().await.unwrap();
    assert_eq!((set.level, set.by.as_str()), (AutonomyLevel::Approve, heal_guard::DEMOTION));
    assert_eq!(set.reason, "4 of the last 10 runs healed, fewer than 50 %");
    // It asks a person now, and what ended before does not count again.
    let (head, started) = rig.started("inc-1").await;
    assert_eq!(
        (head.status, started.autonomy.unwrap().by.as_str()),
        (RunStatus::AwaitingApproval, heal_guard::DEMOTION)
    );
}

#[tokio::test]
async fn half_of_the_runs_are_enough_and_a_run_that_ends_well_is_never_judged() {
    let rig = Rig::new(None);
    for number in 0..10 {
        rig.clock.advance_ms(1_000);
        rig.end(number, number < 5).await;
    }
    rig.clock.advance_ms(1_000);
    rig.end(10, true).await;
    assert_eq!(rig.level().await, None);
    rig.clock.advance_ms(1_000);
    rig.end(11, false).await;
    assert_eq!(
        rig.level().await.map(|set| set.reason).as_deref(),
        Some("4 of the last 10 runs healed, fewer than 50 %")
    );
}

#[tokio::test]
async fn a_promotion_by_a_person_starts_the_count_anew() {
    let rig = Rig::new(None);
    for number in 0..10 {
        rig.clock.advance_ms(1_000);
        rig.end(number, false).await;
    }
    let demoted = rig.level().await.unwrap();
    rig.clock.advance_ms(1_000);
    let promoted = AutonomySetting {
        level: AutonomyLevel::Auto,
        by: "local:ann".to_owned(),
        since: rig.dispatcher.now(),
        ..demoted.clone()
    };
    let promoted = promoted.after(Some(demoted.clone()));
    assert!(rig.settings.replace(&promoted, Some(demoted.since)).await.unwrap());
    for number in 10..19 {
        rig.end(number, false).await;
        assert_eq!(rig.level().await, Some(promoted.clone()));
    }
    rig.end(19, false).await;
    let again = rig.level().await.unwrap();
    assert_eq!(again.level, AutonomyLevel::Approve);
    assert_eq!(
        again.history.iter().map(|change| change.level).collect::<Vec<_>>(),
        [AutonomyLevel::Auto, AutonomyLevel::Approve]
    );
}

#[tokio::test]
async fn a_playbook_whose_bound_is_zero_is_never_demoted_and_a_stricter_rule_goes_down_from_its_own_level() {
    let demote = |below_percent| Some(Demote { below_percent, of_last: 3 });
    for (demote, expected) in [(demote(0), None), (demote(50), Some(AutonomyLevel::Approve))] {
        let rig = Rig::with(Some(AutonomyRule { playbook: "one_step".to_owned(), level: AutonomyLevel::Auto, demote }));
        for number in 0..3 {
            rig.end(number, false).await;
        }
        assert_eq!(rig.level().await.map(|set| set.level), expected);
    }
}

#[tokio::test]
async fn a_level_that_cannot_be_judged_does_not_hold_a_run_up() {
    let rig = Rig::with(None);
    for number in 0..9 {
        rig.end(number, false).await;
    }
    rig.faults.fail_next_of("autonomy.replace", 1, When::Before);
    assert_eq!(rig.end(9, false).await, RunOutcome::Failed);
    assert_eq!(rig.level().await, None);
    rig.end(10, false).await;
    assert!(rig.level().await.is_some(), "the next bad end decides again");
}
