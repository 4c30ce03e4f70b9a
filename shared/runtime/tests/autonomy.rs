//! What a playbook's level of autonomy makes of its incidents.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::pedantic)]

use std::sync::Arc;

use heal_engine::event::{Event, RunOutcome, RunStarted};
use heal_guard::{AutonomyLevel, AutonomyRule, AutonomySetting, Guardrails};
use heal_runtime::dispatcher::{self, DispatchError, Dispatcher, IntakeOutcome};
use heal_runtime::library::Library;
use heal_runtime::port::{AutonomyStore as _, OsEntropy, QueueName, Receiver as _, RunFilter, RunHead, RunReader as _};
use heal_runtime::{ActionCommand, RunStatus, Timestamp};
use heal_testkit::memory::{Autonomies, Faults, ManualClock, Queues, Runs, When};
use serde_json::json;

struct Rig {
    dispatcher: Dispatcher,
    runs: Arc<Runs>,
    queues: Arc<Queues>,
    settings: Arc<Autonomies>,
    faults: Faults,
}

impl Rig {
    fn new(rule: Option<AutonomyLevel>) -> Self {
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
            clock,
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let faults = Faults::default();
        let settings = Arc::new(Autonomies::new(faults.clone()));
        let rule = rule.map(|level| AutonomyRule { playbook: "one_step".to_owned(), level });
        let guardrails = Guardrails { autonomy: rule.into_iter().collect(), ..Guardrails::default() };
        let dispatcher =
            Dispatcher::new(ports, Arc::new(library)).with_autonomy(settings.clone(), Arc::new(guardrails));
        Self { dispatcher, runs, queues, settings, faults }
    }

    async fn set(&self, level: AutonomyLevel) {
        let (playbook, by, reason) = ("one_step".to_owned(), "local:ann".to_owned(), "we watch it".to_owned());
        self.settings.set(&AutonomySetting { playbook, level, by, reason, since: Timestamp(1) }).await.unwrap();
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
