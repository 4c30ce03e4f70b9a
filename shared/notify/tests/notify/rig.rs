//! The notifier over memory, and what it works on.

use std::sync::Arc;

use heal_engine::notice::{Channel, ChannelKind, Notice, NoticeEvent, Owed, Rules};
use heal_notify::{Notifier, Ports};
use heal_runtime::dispatcher::{self, Dispatcher, notify_message};
use heal_runtime::library::Library;
use heal_runtime::port::{Clock as _, Delivery, OsEntropy, QueueName, Receiver as _, Sender as _};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Runs, no_halts};
use serde_json::json;

use crate::server::Server;
use crate::support::{channel, courier};

/// The time for the approval of a run.
pub const EXPIRES_SECONDS: u64 = 600;

pub struct Rig {
    pub dispatcher: Dispatcher,
    pub faults: Faults,
    pub runs: Arc<Runs>,
    pub queues: Arc<Queues>,
    pub claims: Arc<Claims>,
    pub claim_faults: Faults,
    pub clock: Arc<ManualClock>,
}

fn library() -> Arc<Library> {
    let step = json!({
        "name": "restart", "type": "restart_pod", "needs": [], "timeout_seconds": 60, "on_failure": "stop",
        "on_unavailable": "skip", "safety": "probe", "parameters": {"pod_name": "{{ pod_name }}"},
        "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60},
    });
    let playbook = json!({
        "name": "ask", "description": "", "timeout_seconds": 600, "triggers": [{"incident_type": "ASK"}],
        "verify": [], "actions": [step], "approval": {"expires_seconds": EXPIRES_SECONDS, "reminder": false},
    });
    Arc::new(Library::new([serde_json::from_value(playbook).unwrap()]).unwrap())
}

pub fn rig() -> Rig {
    let (faults, claim_faults) = (Faults::default(), Faults::default());
    let clock = Arc::new(ManualClock::default());
    let runs = Arc::new(Runs::new(faults.clone()));
    let queues = Arc::new(Queues::new(clock.clone(), faults.clone()));
    let ports = dispatcher::Ports {
        runs: runs.clone(),
        halts: no_halts(),
        sender: queues.clone(),
        clock: clock.clone(),
        entropy: Arc::new(OsEntropy),
        guardrails: Arc::default(),
    };
    let dispatcher = Dispatcher::new(ports, library()).notifying();
    let claims = Arc::new(Claims::new(claim_faults.clone()));
    Rig { dispatcher, faults, runs, queues, claims, claim_faults, clock }
}

/// An incident whose run asks for approval before anything else.
pub fn incident(id: &str) -> String {
    json!({
        "incident_id": id, "incident_type": "ASK", "severity": "HIGH", "pod_name": "p-1",
    })
    .to_string()
}

impl Rig {
    /// A notifier of its own, as another process is.
    pub fn notifier(&self, rules: &Arc<Rules>, url: &str) -> Notifier {
        let (runs, claims, clock) = (self.runs.clone(), self.claims.clone(), self.clock.clone());
        let ports = Ports { runs, sender: self.queues.clone(), claims, clock };
        Notifier::new(ports, rules.clone(), courier(url), Arc::new(()))
    }

    pub async fn deliveries(&self) -> Vec<Delivery> {
        self.queues.receive(&QueueName::Notify, 10, 60_000).await.unwrap()
    }

    /// Delivers what is on the queue until nothing is left, for an hour at most.
    pub async fn drain(&self, notifier: &Notifier) {
        for _ in 0..800 {
            for delivery in self.deliveries().await {
                let settled = notifier.take(delivery).await;
                heal_runtime::inbox::settle(&*self.queues, vec![settled]).await;
            }
            if self.queues.pending() == 0 {
                break;
            }
            self.clock.advance_ms(5_000);
        }
    }

    pub async fn send(&self, notice: &Notice) {
        self.queues.send(vec![notify_message(&Owed::Notice(Box::new(notice.clone())))]).await.unwrap();
    }

    pub fn notice(&self, thread: &str) -> Notice {
        Notice::new(NoticeEvent::Halted, thread, self.clock.now(), "Halted".to_owned())
    }
}

pub fn hook(url: &str) -> Channel {
    channel(ChannelKind::Webhook, &[("url", url)])
}

pub fn events(server: &Server) -> Vec<String> {
    server.got().iter().map(|got| got.json()["type"].as_str().unwrap().to_owned()).collect()
}
