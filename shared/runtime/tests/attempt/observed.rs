//! What an attempt reports to metrics and logs.

use std::fmt::Debug;

use heal_engine::message::AttemptOutcome;
use heal_guard::{Part, Verdict};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::observe::{Observer, Prevented};
use heal_runtime::port::{Message, OsEntropy, Sender as _};
use heal_testkit::memory::{Runs, Settling};

use super::bounds::budget;
use super::*;

/// Records what is reported of attempts.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Vec<(&'static str, String)>>);

impl Seen {
    /// The reports of this kind, in order.
    pub(super) fn of(&self, kind: &str) -> Vec<String> {
        let seen = self.0.lock().unwrap();
        seen.iter().filter(|(one, _)| *one == kind).map(|(_, what)| what.clone()).collect()
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    fn note(&self, kind: &'static str, what: impl Into<String>) {
        self.0.lock().unwrap().push((kind, what.into()));
    }
}

impl Observer for Seen {
    fn attempt_ended(&self, _: &str, outcome: &AttemptOutcome) {
        self.note("attempt_ended", outcome.as_str());
    }

    fn call_prevented(&self, metric: &CallMetric, why: Prevented) {
        self.note("call_prevented", format!("{metric:?}: {why:?}"));
    }

    fn cooldown_hit(&self, action: &str) {
        self.note("cooldown_hit", action);
    }

    fn budget_hit(&self, action: &str) {
        self.note("budget_hit", action);
    }

    fn guarded(&self, _: &str, part: Part, verdict: &Verdict) {
        self.note("guarded", format!("{part:?}: {}", verdict.as_str()));
    }

    fn claim_lost(&self, action: &str) {
        self.note("claim_lost", action);
    }

    fn claim_recovered(&self, action: &str) {
        self.note("claim_recovered", action);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_denied_is_counted_as_prevented_and_logged_as_failed() {
    logs::collect();
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("run", tickets(&["forbidden"]))).await;
    assert_eq!(rig.seen.of("call_prevented"), ["TicketReallocation { reason: \"forbidden\" }: Denied"]);
    let [line] = &logs::with("event", "playbook_executor.touch_failed")[..] else { panic!("not one line") };
    assert_eq!(line.get("target_id"), Some("forbidden"));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_left_alone_is_counted_by_what_was_full() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 1));
    for (ticket, cooldowns, budgets) in [("a", 0, 0), ("a", 1, 0), ("b", 1, 1)] {
        rig.perform(&rig.command(&format!("run-{cooldowns}{budgets}"), tickets(&[ticket]))).await;
        assert_eq!((rig.seen.of("cooldown_hit").len(), rig.seen.of("budget_hit").len()), (cooldowns, budgets));
    }
}

#[tokio::test(start_paused = true)]
async fn what_people_are_asked_about_is_logged_with_the_rules_and_with_who_may_approve() {
    logs::collect();
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("run", tickets(&["asks"]))).await;
    let [line] = &logs::with("event", "policy.approval_required")[..] else { panic!("not one line") };
    let told = ["target_id", "rules", "approvers"].map(|field| line.get(field));
    assert_eq!(told, [Some("asks"), Some("forbidden"), Some("oncall")]);
}

/// As `heal serve` does it: the claim, the answer and the command's delivery end at once.
#[tokio::test(start_paused = true)]
async fn an_attempt_whose_end_is_settled_at_once_is_counted_if_its_result_was_stored() {
    for (takes_ms, ended, lost) in [(0, 1, 0), (LEASE_MS, 0, 1)] {
        let rig = Rig::new(Safety::Idempotent);
        let runs = Arc::new(Runs::new(Faults::default()));
        let ports = dispatcher::Ports {
            runs: runs.clone(),
            halts: heal_testkit::memory::no_halts(),
            sender: rig.queues.clone(),
            clock: rig.clock.clone(),
            entropy: Arc::new(OsEntropy),
            guardrails: Arc::default(),
        };
        let dispatcher = Dispatcher::new(ports, Arc::new(Library::new([]).unwrap()));
        let settling = Settling {
            runs: runs.clone(),
            queues: rig.queues.clone(),
            claims: rig.claims.clone(),
            faults: Faults::default(),
        };
        let host = Host::new(dispatcher, [rig.worker.clone()], rig.queues.clone(), runs).settling(Arc::new(settling));
        rig.takes_ms.store(takes_ms, Ordering::SeqCst);
        rig.fail_reservation(3, When::Before);
        let queue = QueueName::Action("touch".to_owned());
        let body = serde_json::to_string(&rig.queued("run", tickets(&["a"]))).unwrap();
        rig.queues.send(vec![Message { queue: queue.clone(), body, delay_ms: 0, traceparent: None }]).await.unwrap();
        host.once(&queue, 1).await.unwrap();
        assert_eq!(rig.touched(), 1);
        assert_eq!((rig.seen.of("attempt_ended").len(), rig.seen.of("claim_lost").len()), (ended, lost));
    }
}
